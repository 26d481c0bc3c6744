<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Customers\CustomerWriter;
use Tillsync\Bridge\Customers\RegistrationTime;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Privacy\ShopPerson;
use Tillsync\Bridge\Rest\ShopperPointsRoute;
use Tillsync\Bridge\Schema\Tables;
use Tillsync\Bridge\Types\CustomerType;
use Tillsync\Bridge\Types\RoleMap;
use Tillsync\Bridge\Types\RoleRun;
use Tillsync\Bridge\Types\TypeTable;
use WP_REST_Request;

/**
 * A user id can be given to another person, so a user id is no person. Values stored for the previous person are neither shown to nor used
 * for the new one.
 */
final class CustomersReusedTest extends SiteTestCase {

	private const LATER = '2026-05-01 09:30:00';

	private int $version = 0;

	protected function setUp(): void {
		parent::setUp();
		add_role( 'trade', 'Trade', array( 'read' => true ) );
	}

	protected function tearDown(): void {
		remove_role( 'trade' );
		parent::tearDown();
		wp_roles()->for_site();
	}

	/** Changes the user by SQL, as a restored backup or an import does. No hook of WordPress runs, and meta data stays. */
	private function hand_to_another_person( int $user_id, string $registered = self::LATER ): void {
		global $wpdb;
		$wpdb->query( $wpdb->prepare( "DELETE FROM {$wpdb->users} WHERE ID = %d", $user_id ) );
		$row = array( 'ID' => $user_id, 'user_login' => 'stranger', 'user_pass' => 'x', 'user_nicename' => 'stranger', 'user_email' => 'stranger@example.test', 'user_registered' => $registered, 'display_name' => 'Stranger' );
		$this->assertSame( 1, $wpdb->insert( $wpdb->users, $row ) );
		wp_cache_flush();
	}

	private function registered( int $user_id, string $time ): void {
		global $wpdb;
		$wpdb->update( $wpdb->users, array( 'user_registered' => $time ), array( 'ID' => $user_id ) );
		wp_cache_flush();
	}

	/** @param array<string, mixed> $more Fields. */
	private function write( int $user, array $more = array() ): string {
		$item = $more + array( 'user_id' => $user, 'version' => (string) ++$this->version, 'points' => '1234', 'credit' => '7', 'type_id' => null, 'as_of' => '2026-01-02T03:04:05Z' );
		return Plugin::services()->get( CustomerWriter::class )->write( array( $item ), INF )[0]['status'];
	}

	private function points( int $user_id ): ?string {
		wp_set_current_user( $user_id );
		return rest_get_server()->dispatch( new WP_REST_Request( 'POST', '/' . ShopperPointsRoute::ADDRESS ) )->get_data()['points'];
	}

	/** @group catches:values-are-shown-to-their-person-only */
	public function test_another_person_with_the_user_id_sees_no_points_at_any_place(): void {
		$user = $this->user();
		$this->registered( $user, '2024-05-01 09:30:00' );
		Plugin::services()->get( TypeTable::class )->store( new CustomerType( 3, 1, false, 'Trade', '10', '' ) );
		$this->write( $user, array( 'type_id' => 3 ) );
		$this->assertSame( '1234', $this->points( $user ) );
		$this->hand_to_another_person( $user );
		$this->assertNull( $this->points( $user ) );
		$this->assertSame( '0', apply_filters( 'tillsync_customer_type_discount', '0', $user ) );
		$this->assertNull( Plugin::services()->get( ShopPerson::class )->values( 'stranger@example.test' ) );
		wp_set_current_user( $this->user( 'administrator' ) );
		ob_start();
		do_action( 'edit_user_profile', get_userdata( $user ) );
		$this->assertStringNotContainsString( '1,234', (string) ob_get_clean() );
	}

	public function test_another_person_with_the_user_id_loses_the_role_that_the_plugin_gave(): void {
		RoleMap::of( array( 3 => array( 'role' => 'trade' ) ) )->save();
		$user = $this->user();
		$this->write( $user, array( 'type_id' => 3 ) );
		$this->assertSame( array( 'customer', 'trade' ), array_values( get_userdata( $user )->roles ) );
		$this->hand_to_another_person( $user, '2026-12-24 00:00:00' );
		$this->assertSame( array( 'customer', 'trade' ), array_values( get_userdata( $user )->roles ) );
		Plugin::services()->get( RoleRun::class )->check_all();
		Plugin::services()->get( RoleRun::class )->run();
		clean_user_cache( $user );
		$this->assertSame( array( 'customer' ), array_values( get_userdata( $user )->roles ) );
	}

	public function test_a_row_without_a_registration_time_counts_unless_its_user_registered_later(): void {
		global $wpdb;
		$user  = $this->user();
		$table = Plugin::services()->get( Tables::class )->customer();
		$this->write( $user );
		$written = time();
		$wpdb->query( "UPDATE {$table} SET registered = NULL, updated_at = {$written}" );
		$seen = array();
		foreach ( array( - 400 * DAY_IN_SECONDS, DAY_IN_SECONDS, DAY_IN_SECONDS + 1 ) as $seconds ) {
			$this->registered( $user, gmdate( 'Y-m-d H:i:s', $written + $seconds ) );
			$seen[] = $this->points( $user );
		}
		$this->assertSame( array( '1234', '1234', null ), $seen );
		// The next write stores the registration time and is no change of values.
		$calls = $this->calls_of( 'tillsync_customer_updated' );
		$this->registered( $user, '2024-05-01 09:30:00' );
		$this->assertSame( 'unchanged', $this->write( $user ) );
		$this->assertCount( 0, $calls );
		$this->assertSame( (string) gmmktime( 9, 30, 0, 5, 1, 2024 ), (string) $wpdb->get_var( "SELECT registered FROM {$table} WHERE user_id = {$user}" ) );
		$this->hand_to_another_person( $user );
		$this->assertNull( $this->points( $user ) );
	}

	public function test_a_user_without_a_registration_time_sees_the_stored_values(): void {
		$user = $this->user();
		$this->write( $user );
		global $wpdb;
		$wpdb->query( "SET SESSION sql_mode = ''" );
		$this->registered( $user, '0000-00-00 00:00:00' );
		$this->assertSame( '1234', $this->points( $user ) );
		$this->assertSame( 'unchanged', $this->write( $user, array( 'registered' => '2024-05-01T09:30:00Z' ) ) );
	}

	/**
	 * @group catches:values-never-reach-another-person
	 * @dataProvider named_persons
	 * @param array<string, string> $fields Fields of the item.
	 */
	public function test_values_are_written_only_for_the_person_that_the_item_names( array $fields, string $status ): void {
		$user = $this->user();
		$this->registered( $user, '2024-05-01 09:30:00' );
		$this->assertSame( $status, $this->write( $user, $fields + array( 'first_name' => 'Ada' ) ) );
		$this->assertSame( 'updated' === $status ? array( '1234', 'Ada' ) : array( null, '' ), array( $this->points( $user ), get_user_meta( $user, 'first_name', true ) ) );
	}

	/** @return array<string, array{0: array<string, string>, 1: string}> */
	public function named_persons(): array {
		return array(
			'that second'        => array( array( 'registered' => '2024-05-01T09:30:00Z' ), 'updated' ),
			'in another zone'    => array( array( 'registered' => '2024-05-01T11:30:00.5+02:00' ), 'updated' ),
			'a second later'     => array( array( 'registered' => '2024-05-01T09:30:01Z' ), 'not_found' ),
			'a second earlier'   => array( array( 'registered' => '2024-05-01T09:29:59Z' ), 'not_found' ),
			'not after'          => array( array( 'registered_before' => '2024-05-01T09:30:00Z' ), 'updated' ),
			'long before'        => array( array( 'registered_before' => '2026-05-01T09:30:00Z' ), 'updated' ),
			'registered later'   => array( array( 'registered_before' => '2024-05-01T09:29:59Z' ), 'not_found' ),
			'both must hold'     => array( array( 'registered' => '2024-05-01T09:30:00Z', 'registered_before' => '2024-05-01T09:29:59Z' ), 'not_found' ),
			'no time'            => array( array( 'registered' => '2024-05-01 09:30:00' ), 'invalid' ),
			'no time as a limit' => array( array( 'registered_before' => 'yesterday' ), 'invalid' ),
		);
	}

	public function test_an_invalid_time_field_is_named(): void {
		$user = $this->user();
		foreach ( array( 'registered', 'registered_before' ) as $field ) {
			$item = array( 'user_id' => $user, 'version' => '1', 'points' => '1', 'credit' => '0', 'type_id' => null, 'as_of' => '2026-01-02T03:04:05Z', $field => null );
			$this->assertSame( array( array( 'user_id' => $user, 'status' => 'invalid', 'field' => $field ) ), Plugin::services()->get( CustomerWriter::class )->write( array( $item ), INF ) );
		}
	}

	public function test_a_removal_deletes_values_of_any_person_with_the_user_id(): void {
		$user = $this->user();
		$this->write( $user );
		$item = array( 'user_id' => $user, 'version' => (string) ++$this->version, 'remove' => true, 'registered' => 'yesterday', 'registered_before' => '2001-01-01T00:00:00Z' );
		$this->assertSame( 'updated', Plugin::services()->get( CustomerWriter::class )->write( array( $item ), INF )[0]['status'] );
		$this->assertNull( $this->points( $user ) );
	}

	public function test_fields_left_out_are_not_taken_from_the_previous_person(): void {
		$user = $this->user();
		$this->write( $user, array( 'type_id' => 3 ) );
		$this->hand_to_another_person( $user );
		$calls = $this->calls_of( 'tillsync_customer_updated' );
		$item = array( 'user_id' => $user, 'version' => (string) ++$this->version, 'credit' => '7', 'as_of' => '2026-06-02T03:04:05Z' );
		$this->assertSame( 'updated', Plugin::services()->get( CustomerWriter::class )->write( array( $item ), INF )[0]['status'] );
		$row = Plugin::services()->get( CustomerTable::class )->find( $user );
		$this->assertSame( array( '', '7', null ), array( $row->points, $row->credit, $row->type_id ) );
		$this->assertCount( 1, $calls );
	}

	public function test_equal_values_of_another_person_are_an_update(): void {
		$user = $this->user();
		$this->write( $user );
		$this->hand_to_another_person( $user );
		$this->assertSame( 'updated', $this->write( $user ) );
		$this->assertSame( '1234', $this->points( $user ) );
	}

	public function test_values_are_stored_while_the_tables_are_not_updated(): void {
		$user = $this->user();
		Plugin::services()->get( Tables::class )->forget_version();
		$this->assertSame( 'updated', $this->write( $user ) );
		$this->assertSame( '1234', $this->points( $user ) );
	}

	public function test_times_are_read_as_wordpress_writes_them(): void {
		$times = array( '2024-05-01 09:30:00', '0000-00-00 00:00:00', '', '2024-02-30 00:00:00', '2024-05-01T09:30:00Z', null, '0099-01-02 03:04:05' );
		$this->assertSame( array( 1714555800, 0, 0, 0, 0, 0, -59042897755 ), array_map( array( RegistrationTime::class, 'seconds' ), $times ) );
		$this->assertSame( '2024-05-01T09:30:00Z', RegistrationTime::text( 1714555800 ) );
	}
}
