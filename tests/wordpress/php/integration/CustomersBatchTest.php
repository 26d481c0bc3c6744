<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Customers\CustomerItem;
use Tillsync\Bridge\Customers\CustomerRow;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Customers\CustomerWriter;
use Tillsync\Bridge\Customers\PointsText;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Services;
use WC_Customer;

/** Covers customers/batch behind the signature check: statuses by position, versions, tombstones, names, time limits. */
final class CustomersBatchTest extends SiteTestCase {

	private const AS_OF = '2026-01-02T03:04:05Z';

	private Services $services;

	protected function setUp(): void {
		parent::setUp();
		$this->services = new Services();
	}

	/** @return array<string, mixed> */
	private static function item( int $user_id, string $version, string $points = '10', array $more = array() ): array {
		return $more + array( 'user_id' => $user_id, 'version' => $version, 'points' => $points, 'credit' => '3.50', 'type_id' => null, 'as_of' => self::AS_OF );
	}

	/**
	 * @param mixed ...$items
	 * @return array<int, array<string, mixed>>
	 */
	private function write( ...$items ): array {
		return $this->services->get( CustomerWriter::class )->write( $items, INF );
	}

	public function test_a_newer_version_is_applied_and_an_older_one_is_stale(): void {
		$user = $this->user();
		$this->assertSame( array( array( 'user_id' => $user, 'status' => 'updated' ) ), $this->write( self::item( $user, '100' ) ) );
		$this->assertSame( array( array( 'user_id' => $user, 'status' => 'stale', 'version' => '100' ) ), $this->write( self::item( $user, '99', '77' ) ) );
		$this->assertSame( array( array( 'user_id' => $user, 'status' => 'updated' ) ), $this->write( self::item( $user, '9223372036854775807', '11' ) ) );
		$row = $this->services->get( CustomerTable::class )->find( $user );
		$this->assertSame( array( 'points' => '11', 'credit' => '3.50', 'type_id' => null, 'as_of' => self::AS_OF, 'removed' => false ), $row->values() );
		$this->assertSame( PHP_INT_MAX, $row->version );
	}

	public function test_the_same_version_is_unchanged_with_equal_values_and_stale_with_others(): void {
		$user = $this->user();
		$this->write( self::item( $user, '100' ) );
		$this->assertSame( 'unchanged', $this->write( self::item( $user, '100' ) )[0]['status'] );
		$this->assertSame( array( 'user_id' => $user, 'status' => 'stale', 'version' => '100' ), $this->write( self::item( $user, '100', '11' ) )[0] );
		$this->assertSame( '10', $this->services->get( CustomerTable::class )->find( $user )->points );
	}

	public function test_equal_values_with_a_newer_version_raise_the_version_and_keep_the_time(): void {
		$user = $this->user();
		$this->write( self::item( $user, '100' ) );
		$this->assertSame( 'unchanged', $this->write( self::item( $user, '101', '10', array( 'as_of' => '2026-02-02T00:00:00Z' ) ) )[0]['status'] );
		$row = $this->services->get( CustomerTable::class )->find( $user );
		$this->assertSame( array( 101, self::AS_OF ), array( $row->version, $row->values()['as_of'] ) );
	}

	public function test_a_removal_leaves_a_tombstone_that_refuses_older_writes(): void {
		$user = $this->user();
		$this->write( self::item( $user, '100' ) );
		$this->assertSame( 'updated', $this->write( array( 'user_id' => $user, 'version' => '200', 'remove' => true ) )[0]['status'] );
		$this->assertNull( $this->services->get( CustomerTable::class )->find( $user ) );
		$this->assertSame( array( 'user_id' => $user, 'status' => 'stale', 'version' => '200' ), $this->write( self::item( $user, '150' ) )[0] );
		$this->assertSame( 'unchanged', $this->write( array( 'user_id' => $user, 'version' => '201', 'remove' => true ) )[0]['status'] );
		$this->assertSame( 'updated', $this->write( self::item( $user, '202' ) )[0]['status'] );
		$this->assertSame( self::AS_OF, $this->services->get( CustomerTable::class )->find( $user )->values()['as_of'] );
	}

	public function test_a_removal_without_a_row_is_unchanged_and_leaves_a_tombstone(): void {
		$user  = $this->user();
		$calls = $this->calls_of( 'tillsync_customer_updated' );
		$this->assertSame( 'unchanged', $this->write( array( 'user_id' => $user, 'version' => '200', 'remove' => true ) )[0]['status'] );
		$this->assertSame( 'stale', $this->write( self::item( $user, '199' ) )[0]['status'] );
		$this->assertCount( 0, $calls );
	}

	public function test_bad_items_are_named_and_the_others_are_applied(): void {
		$user    = $this->user();
		$bad     = array(
			'user_id'    => array( 7, array( 1 ), array( 'version' => '1' ), self::item( 0, '1' ), array( 'user_id' => '12' ) + self::item( 12, '1' ), array( 'user_id' => true ) + self::item( 12, '1' ), array( 'user_id' => 12.0 ) + self::item( 12, '1' ) ),
			'version'    => array( self::item( $user, '0' ), self::item( $user, '01' ), self::item( $user, '9223372036854775808' ), array( 'version' => 100 ) + self::item( $user, '1' ), self::item( $user, "1\n" ) ),
			'points'     => array( self::item( $user, '1', '1e3' ), self::item( $user, '1', '' ), array( 'points' => 10 ) + self::item( $user, '1' ), self::item( $user, '1', '1,5' ) ),
			'credit'     => array( array( 'credit' => null ) + self::item( $user, '1' ) ),
			'type_id'    => array( array( 'type_id' => 0 ) + self::item( $user, '1' ), array( 'type_id' => '4' ) + self::item( $user, '1' ) ),
			'as_of'      => array( array( 'as_of' => '2026-02-30T00:00:00Z' ) + self::item( $user, '1' ), array( 'as_of' => '2026-01-01' ) + self::item( $user, '1' ), array( 'as_of' => '2026-01-01T25:00:00Z' ) + self::item( $user, '1' ) ),
			'phone'      => array( array( 'phone' => 'call me' ) + self::item( $user, '1' ) ),
			'first_name' => array( array( 'first_name' => null ) + self::item( $user, '1' ) ),
			'remove'     => array( array( 'user_id' => $user, 'version' => '1', 'remove' => false ) ),
		);
		foreach ( $bad as $field => $items ) {
			foreach ( $items as $item ) {
				$results = $this->write( self::item( $user, '50' ), $item );
				$this->assertSame( array( 'invalid', $field ), array( $results[1]['status'], $results[1]['field'] ), (string) json_encode( $item ) );
				$this->assertContains( $results[0]['status'], array( 'updated', 'unchanged' ) );
			}
		}
		$this->assertSame( array( 'user_id' => $user, 'status' => 'invalid', 'field' => 'points' ), $this->write( array( 'user_id' => $user, 'version' => '60', 'remove' => true, 'points' => '1' ) )[0] );
	}

	public function test_fields_that_an_item_leaves_out_stay_as_stored(): void {
		$user = $this->user();
		$this->write( array( 'type_id' => 7 ) + self::item( $user, '1', '120' ) );
		$partial_item = array_diff_key( array( 'credit' => '9.00' ) + self::item( $user, '2' ), array( 'points' => 1, 'type_id' => 1 ) );
		$this->assertSame( 'updated', $this->write( $partial_item )[0]['status'] );
		$row = $this->services->get( CustomerTable::class )->find( $user );
		$this->assertSame( array( '120', '9.00', 7 ), array( $row->points, $row->credit, $row->type_id ) );
		$this->assertSame( 'unchanged', $this->write( array( 'version' => '3' ) + $partial_item )[0]['status'] );
		$this->assertSame( 'unchanged', $this->write( array( 'version' => '3' ) + $partial_item )[0]['status'], 'the same again' );
	}

	public function test_unknown_points_are_not_shown_as_zero(): void {
		$user = $this->user();
		$partial_item = array_diff_key( self::item( $user, '1' ), array( 'points' => 1 ) );
		$this->assertSame( 'updated', $this->write( $partial_item )[0]['status'] );
		$this->assertNull( CustomerRow::shown_points( $this->services->get( CustomerTable::class )->find( $user ) ) );
		$this->assertSame( '–', PointsText::points( $this->services->get( CustomerTable::class )->find( $user )->points ) );
		$this->write( array( 'user_id' => $user, 'version' => '2', 'remove' => true ) );
		$this->write( array( 'version' => '3' ) + $partial_item );
		$this->assertNull( CustomerRow::shown_points( $this->services->get( CustomerTable::class )->find( $user ) ), 'nor after a removal' );
	}

	public function test_an_unknown_field_of_a_newer_service_is_ignored(): void {
		$user  = $this->user();
		$email = get_userdata( $user )->user_email;
		$this->assertSame( 'updated', $this->write( array( 'email' => 'other@example.test', 'role' => 'administrator', 'tier' => array( 'name' => 'Gold' ) ) + self::item( $user, '1', '12' ) )[0]['status'] );
		$this->assertSame( '12', $this->services->get( CustomerTable::class )->find( $user )->values()['points'] );
		$this->assertSame( array( $email, false ), array( get_userdata( $user )->user_email, user_can( $user, 'manage_options' ) ) );
		$this->assertSame( 'updated', $this->write( array( 'user_id' => $user, 'version' => '2', 'remove' => true, 'why' => 'unlinked' ) )[0]['status'] );
	}

	public function test_a_missing_user_gets_no_row(): void {
		global $wpdb;
		$results = $this->write( self::item( 999999, '1' ) );
		$this->assertSame( array( array( 'user_id' => 999999, 'status' => 'not_found' ) ), $results );
		$this->assertSame( '0', (string) $wpdb->get_var( "SELECT COUNT(*) FROM {$wpdb->prefix}tillsync_customer" ) );
		$this->assertSame( '0', (string) $wpdb->get_var( "SELECT COUNT(*) FROM {$wpdb->usermeta} WHERE user_id = 999999" ) );
	}

	public function test_two_items_of_one_customer_are_applied_in_order(): void {
		$user    = $this->user();
		$results = $this->write( self::item( $user, '10', '1' ), self::item( $user, '12', '3' ), self::item( $user, '11', '2' ) );
		$this->assertSame( array( 'updated', 'updated', 'stale' ), array_column( $results, 'status' ) );
		$this->assertSame( '12', $results[2]['version'] );
		$this->assertSame( '3', $this->services->get( CustomerTable::class )->find( $user )->points );
	}

	public function test_the_action_fires_for_changed_rows_only_and_after_they_are_stored(): void {
		list( $one, $other ) = array( $this->user(), $this->user() );
		$this->write( self::item( $one, '1' ), self::item( $other, '1' ) );
		$seen = array();
		add_action(
			'tillsync_customer_updated',
			function ( int $user_id, array $values ) use ( &$seen ): void {
				$seen[ $user_id ] = array( $values['points'], $this->services->get( CustomerTable::class )->find( $user_id )->points );
				throw new \TypeError( 'a callback that fails' );
			},
			10,
			2
		);
		$this->assertSame( array( 'unchanged', 'updated' ), array_column( $this->write( self::item( $one, '2' ), self::item( $other, '2', '20' ) ), 'status' ) );
		$this->assertSame( array( $other => array( '20', '20' ) ), $seen );
	}

	public function test_names_with_signs_of_html_do_not_flip_with_a_save_of_the_user(): void {
		$user  = $this->user();
		$names = array( 'first_name' => 'Tom & Jerry', 'last_name' => "O'Brien \"Ltd\"" );
		$shown = static fn() => array_map( static fn( string $key ) => html_entity_decode( (string) get_user_meta( $user, $key, true ), ENT_QUOTES ), array( 'first_name', 'last_name' ) );
		$saves = $this->calls_of( 'woocommerce_update_customer' );
		$this->write( self::item( $user, '1', '10', $names ) );
		$this->assertSame( array_values( $names ), $shown() );
		$stored = get_user_meta( $user, 'first_name', true );
		wp_update_user( array( 'ID' => $user, 'display_name' => 'changed' ) );
		$this->assertSame( $stored, get_user_meta( $user, 'first_name', true ), 'as WordPress stores it' );
		$this->assertSame( array_values( $names ), $shown() );
		$this->assertSame( 'unchanged', $this->write( self::item( $user, '2', '10', $names ) )[0]['status'] );
		$this->assertCount( 1, $saves, 'the second write changes nothing' );
	}

	public function test_names_are_written_through_woocommerce_only_when_they_differ(): void {
		$user  = $this->user();
		$names = array( 'first_name' => 'Ada', 'last_name' => '<b>Byron</b>', 'phone' => '+44 (0)20 7946 0000' );
		$saved = $this->calls_of( 'woocommerce_update_customer' );
		$this->assertSame( 'updated', $this->write( self::item( $user, '1', '10', $names ) )[0]['status'] );
		$customer = new WC_Customer( $user );
		$this->assertSame( array( 'Ada', 'Byron', '+44 (0)20 7946 0000', '' ), array( $customer->get_first_name(), $customer->get_last_name(), $customer->get_billing_phone(), $customer->get_billing_first_name() ) );
		$this->assertCount( 1, $saved );
		$this->assertSame( 'unchanged', $this->write( self::item( $user, '2', '10', $names ) )[0]['status'] );
		$this->assertCount( 1, $saved );
		$this->assertSame( 'updated', $this->write( self::item( $user, '3', '10', array( 'phone' => '' ) ) )[0]['status'] );
		$this->assertSame( '', ( new WC_Customer( $user ) )->get_billing_phone() );
		$this->assertSame( array( 'user_id' => $user, 'status' => 'stale', 'version' => '3' ), $this->write( self::item( $user, '3', '10', array( 'first_name' => 'Grace' ) ) )[0] );
	}

	public function test_a_second_role_survives_a_change_of_names(): void {
		add_role( 'trade', 'Trade', array( 'read' => true ) );
		$user = $this->user();
		get_userdata( $user )->add_role( 'trade' );
		$this->write( self::item( $user, '1', '10', array( 'first_name' => 'Ada' ) ) );
		clean_user_cache( $user );
		$this->assertSame( array( 'customer', 'trade' ), array_values( get_userdata( $user )->roles ) );
		remove_role( 'trade' );
	}

	public function test_refused_names_are_invalid_and_the_other_items_are_applied(): void {
		list( $one, $other ) = array( $this->user(), $this->user() );
		add_action(
			'woocommerce_update_customer',
			static function ( int $id ) use ( $one ): void {
				if ( $id === $one ) {
					throw new \TypeError( 'a plugin that fails' );
				}
			}
		);
		$results = $this->write( self::item( $one, '1', '10', array( 'last_name' => 'Byron' ) ), self::item( $other, '1', '10', array( 'last_name' => 'Hopper' ) ) );
		$this->assertSame( array( 'invalid', 'last_name', 'updated' ), array( $results[0]['status'], $results[0]['field'], $results[1]['status'] ) );
	}

	public function test_an_item_overtaken_while_its_names_are_written_is_stale(): void {
		$user = $this->user();
		add_action( 'woocommerce_update_customer', fn() => $this->services->get( CustomerTable::class )->store( array( new CustomerItem( $user, 9, false, '99' ) ), 'other' ) );
		$this->assertSame( array( 'user_id' => $user, 'status' => 'stale', 'version' => '9' ), $this->write( self::item( $user, '1', '10', array( 'first_name' => 'Ada' ) ) )[0] );
	}

	public function test_items_that_are_not_begun_in_time_are_not_done(): void {
		$clock = new class() extends Clock {
			public float $at = 0.0;
			public function monotonic(): float {
				return $this->at;
			}
		};
		$this->services->set( Clock::class, $clock );
		list( $one, $other, $third ) = array( $this->user(), $this->user(), $this->user() );
		add_action( 'woocommerce_update_customer', static fn() => $clock->at = 11.0 );
		$results = $this->services->get( CustomerWriter::class )->write(
			array( self::item( $one, '1', '10', array( 'first_name' => 'Ada' ) ), self::item( $other, '1', '10', array( 'first_name' => 'Grace' ) ), self::item( $third, '1' ), array( 'version' => 'x' ) ),
			10.0
		);
		$this->assertSame( array( 'updated', 'not_done', 'updated', 'invalid' ), array_column( $results, 'status' ) );
		$this->assertSame( array( 'not_done', 'not_found' ), array_column( $this->services->get( CustomerWriter::class )->write( array( self::item( $third, '2' ), self::item( 999999, '2' ) ), 10.0 ), 'status' ) );
		// No action fires for names that were not written.
		$calls = $this->calls_of( 'tillsync_customer_updated' );
		$late  = $this->services->get( CustomerWriter::class );
		add_filter( 'query', static function ( $sql ) use ( $clock ) {
			$clock->at = 0 === strpos( ltrim( $sql ), 'INSERT' ) ? 11.0 : $clock->at;
			return $sql;
		} );
		$clock->at = 0.0;
		$this->assertSame( 'not_done', $late->write( array( self::item( $third, '3', '10', array( 'first_name' => 'Joan' ) ) ), 10.0 )[0]['status'] );
		remove_all_filters( 'query' );
		$this->assertCount( 0, $calls );
		// The item is applied when the service sends it again above the stored version.
		$clock->at = 0.0;
		$this->assertSame( 'updated', $this->services->get( CustomerWriter::class )->write( array( self::item( $other, '2', '10', array( 'first_name' => 'Grace' ) ) ), 10.0 )[0]['status'] );
	}

	/** @group catches:older-customer-versions-change-nothing */
	public function test_storing_an_older_version_changes_nothing(): void {
		$user = $this->user();
		$this->services->get( CustomerTable::class )->store( array( new CustomerItem( $user, 7, false, '7', '0', 3, 700 ) ), 'first' );
		$this->services->get( CustomerTable::class )->store( array( new CustomerItem( $user, 6, false, '6', '1', 4, 600 ) ), 'second' );
		$row = $this->services->get( CustomerTable::class )->find( $user );
		$this->assertSame( array( 7, '7', '0', 3, 700, 'first' ), array( $row->version, $row->points, $row->credit, $row->type_id, $row->as_of, $row->write_token ) );
	}

	public function test_deleting_a_user_deletes_the_row(): void {
		global $wpdb;
		$user = $this->user();
		$this->write( self::item( $user, '1' ) );
		wp_delete_user( $user );
		$this->assertSame( '0', (string) $wpdb->get_var( "SELECT COUNT(*) FROM {$wpdb->prefix}tillsync_customer" ) );
	}

	public function test_five_hundred_customers_need_a_few_statements(): void {
		global $wpdb;
		$users  = array_map( fn() => $this->user(), range( 1, 20 ) );
		$before = $wpdb->num_queries;
		$this->write( ...array_map( static fn( int $user ) => self::item( $user, '1' ), $users ) );
		$this->assertLessThanOrEqual( 10, $wpdb->num_queries - $before );
		$this->assertSame( Plugin::services()->get( CustomerTable::class )->find( $users[19] )->points, '10' );
	}
}
