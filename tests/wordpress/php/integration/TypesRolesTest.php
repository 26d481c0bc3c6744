<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Customers\CustomerItem;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Customers\CustomerWriter;
use Tillsync\Bridge\Orders\DrainLimits;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Services;
use Tillsync\Bridge\Types\CustomerType;
use Tillsync\Bridge\Types\RoleDecision;
use Tillsync\Bridge\Types\RoleGrants;
use Tillsync\Bridge\Types\RoleMap;
use Tillsync\Bridge\Types\RolePreview;
use Tillsync\Bridge\Types\RoleRules;
use Tillsync\Bridge\Types\RoleRun;
use Tillsync\Bridge\Types\RoleSync;
use Tillsync\Bridge\Types\TypeWriter;

/** Covers customer types and the roles that they give. */
final class TypesRolesTest extends SiteTestCase {

	private Services $services;

	private int $version = 0;

	protected function setUp(): void {
		parent::setUp();
		$this->services = Plugin::services();
		foreach ( array( 'trade' => array( 'read' => true ), 'gold' => array( 'read' => true, 'level_0' => true ), 'helper' => array( 'read' => true, 'edit_products' => true ) ) as $role => $capabilities ) {
			remove_role( $role );
			add_role( $role, ucfirst( $role ), $capabilities );
		}
	}

	protected function tearDown(): void {
		foreach ( array( 'trade', 'gold', 'helper' ) as $role ) {
			remove_role( $role );
		}
		parent::tearDown();
		wp_roles()->for_site();
	}

	/** @param array<int, array<string, string>|string> $map By type, a role, or a role and when_deleted. */
	private function set_role_map( array $map ): void {
		RoleMap::of( array_map( static fn( $entry ) => is_string( $entry ) ? array( 'role' => $entry ) : $entry, $map ) )->save();
	}

	private function type_of( int $user, ?int $type ): void {
		$item = array( 'user_id' => $user, 'version' => (string) ++$this->version, 'points' => '1', 'credit' => '0', 'type_id' => $type, 'as_of' => '2026-01-02T03:04:05Z' );
		$this->services->get( CustomerWriter::class )->write( array( $item ), INF );
	}

	/** @return string[] */
	private static function roles( int $user ): array {
		clean_user_cache( $user );
		return array_values( get_userdata( $user )->roles );
	}

	public function test_a_type_adds_its_role_beside_the_customers_own_and_removes_it(): void {
		$this->set_role_map( array( 7 => 'trade', 8 => 'gold' ) );
		$user = $this->user();
		$this->type_of( $user, 7 );
		$this->assertSame( array( 'customer', 'trade' ), self::roles( $user ) );
		$this->type_of( $user, 8 );
		$this->assertSame( array( 'customer', 'gold' ), self::roles( $user ) );
		$this->type_of( $user, null );
		$this->assertSame( array( 'customer' ), self::roles( $user ) );
		$this->assertNull( $this->services->get( RoleGrants::class )->find( $user ) );
	}

	public function test_removing_the_link_removes_the_role(): void {
		$this->set_role_map( array( 7 => 'trade' ) );
		$user = $this->user();
		$this->type_of( $user, 7 );
		$this->services->get( CustomerWriter::class )->write( array( array( 'user_id' => $user, 'version' => '99', 'remove' => true ) ), INF );
		$this->assertSame( array( 'customer' ), self::roles( $user ) );
	}

	public function test_a_role_that_the_customer_had_before_is_never_removed(): void {
		$this->set_role_map( array( 7 => 'trade' ) );
		$user = $this->user();
		get_userdata( $user )->add_role( 'trade' );
		$this->type_of( $user, 7 );
		$this->assertNull( $this->services->get( RoleGrants::class )->find( $user ) );
		$this->type_of( $user, null );
		$this->assertSame( array( 'customer', 'trade' ), self::roles( $user ) );
	}

	public function test_roles_of_staff_are_not_changed(): void {
		$this->set_role_map( array( 7 => 'trade' ) );
		foreach ( array( 'administrator', 'shop_manager', 'editor', 'author', 'contributor' ) as $role ) {
			$user = $this->user( $role );
			$this->type_of( $user, 7 );
			$this->assertSame( array( $role ), self::roles( $user ), $role );
		}
		foreach ( array( 'manage_woocommerce', 'edit_posts', 'edit_users', 'manage_options' ) as $capability ) {
			$user = $this->user();
			get_userdata( $user )->add_cap( $capability );
			$this->type_of( $user, 7 );
			$this->assertSame( array( 'customer' ), self::roles( $user ), $capability );
		}
		$user = $this->user();
		add_filter( 'user_has_cap', static fn( $all, $needed, $args ) => (int) $args[1] === $user ? array( 'edit_posts' => true ) + $all : $all, 10, 3 );
		$this->type_of( $user, 7 );
		$this->assertSame( array( 'customer' ), self::roles( $user ) );
	}

	public function test_a_user_without_a_role_gets_no_role(): void {
		$this->set_role_map( array( 7 => 'trade' ) );
		$user = $this->user();
		get_userdata( $user )->set_role( '' );
		$this->type_of( $user, 7 );
		$this->assertSame( array(), self::roles( $user ) );
	}

	public function test_only_roles_without_rights_may_be_given(): void {
		$rules = $this->services->get( RoleRules::class );
		$this->assertNull( $rules->problem( 'trade' ) );
		$this->assertNull( $rules->problem( 'gold' ) );
		$this->assertNull( $rules->problem( 'customer' ) );
		foreach ( array( 'administrator', 'shop_manager', 'editor', 'contributor', 'helper', 'nobody', '' ) as $role ) {
			$this->assertIsString( $rules->problem( $role ), $role );
		}
		$this->assertArrayNotHasKey( 'helper', $rules->choices()['allowed'] );
	}

	public function test_the_allowed_capabilities_can_be_extended_but_not_to_manage_a_site(): void {
		get_role( 'trade' )->add_cap( 'view_trade_prices' );
		$this->assertIsString( $this->services->get( RoleRules::class )->problem( 'trade' ) );
		add_filter( 'tillsync_role_capabilities_allowed', static fn( $allowed ) => array_merge( $allowed, array( 'view_trade_prices', 'edit_products', 'manage_options', 'edit_posts', 'unfiltered_html', 'level_10' ) ) );
		$this->assertNull( $this->services->get( RoleRules::class )->problem( 'trade' ) );
		$this->assertIsString( $this->services->get( RoleRules::class )->problem( 'helper' ) );
		$this->assertIsString( $this->services->get( RoleRules::class )->problem( 'administrator' ) );
	}

	public function test_a_role_that_got_more_rights_is_not_given_and_is_revoked(): void {
		$this->set_role_map( array( 7 => 'trade' ) );
		list( $before, $after ) = array( $this->user(), $this->user() );
		$this->type_of( $before, 7 );
		get_role( 'trade' )->add_cap( 'edit_posts' );
		$this->type_of( $after, 7 );
		$this->assertSame( array( 'customer' ), self::roles( $after ) );
		$this->services->get( RoleRun::class )->check_all();
		$this->services->get( RoleRun::class )->run();
		$this->assertSame( array( 'customer' ), self::roles( $before ), 'although the role itself makes its holder look like staff' );
	}

	public function test_a_role_without_a_definition_leaves_no_capability_behind(): void {
		$this->set_role_map( array( 7 => 'trade' ) );
		$user = $this->user();
		$this->type_of( $user, 7 );
		remove_role( 'trade' );
		clean_user_cache( $user );
		$this->services->get( RoleRun::class )->check_all();
		$this->services->get( RoleRun::class )->run();
		clean_user_cache( $user );
		$this->assertSame( array( 'customer' ), array_keys( get_userdata( $user )->caps ) );
		add_role( 'trade', 'Trade', array( 'read' => true ) );
		$this->assertSame( array( 'customer' ), self::roles( $user ), 'and does not come back with it' );
	}

	public function test_the_role_is_given_again_after_set_role_of_another_plugin(): void {
		$this->set_role_map( array( 7 => 'trade' ) );
		$user = $this->user();
		$this->type_of( $user, 7 );
		get_userdata( $user )->set_role( 'subscriber' );
		$this->assertSame( array( 'subscriber', 'trade' ), self::roles( $user ) );
		get_userdata( $user )->set_role( 'editor' );
		$this->assertSame( array( 'editor' ), self::roles( $user ) );
		$this->assertNull( $this->services->get( RoleGrants::class )->find( $user ) );
	}

	public function test_a_lost_role_is_given_again_once_a_day(): void {
		$this->set_role_map( array( 7 => 'trade' ) );
		$user = $this->user();
		$this->type_of( $user, 7 );
		get_userdata( $user )->remove_role( 'trade' );
		do_action( 'tillsync_bridge_daily' );
		do_action( 'tillsync_bridge_minute' );
		$this->assertSame( array( 'customer', 'trade' ), self::roles( $user ) );
	}

	public function test_a_changed_mapping_is_applied_to_all_customers_with_progress(): void {
		$users = array_map( fn() => $this->user(), range( 1, 30 ) );
		foreach ( $users as $user ) {
			$this->type_of( $user, 7 );
		}
		$run = $this->services->get( RoleRun::class );
		$this->set_role_map( array( 7 => 'trade' ) );
		$run->check_all();
		$this->assertSame( array( true, 30, 30 ), array( $run->progress()['running'], $run->progress()['total'], $run->progress()['left'] ) );
		$this->assertSame( array( 'customer' ), self::roles( $users[0] ) );
		$run->run();
		$this->assertSame( array( false, 30, 0, 30 ), array( $run->progress()['running'], $run->progress()['total'], $run->progress()['left'], $run->progress()['changed'] ) );
		$this->assertSame( array( 'customer', 'trade' ), self::roles( $users[29] ) );
		$before = RoleMap::saved()->type_ids();
		$this->set_role_map( array() );
		$run->check_all( $before );
		$run->run();
		foreach ( $users as $user ) {
			$this->assertSame( array( 'customer' ), self::roles( $user ) );
		}
	}

	public function test_a_run_without_time_left_continues_in_the_next_request(): void {
		$this->set_role_map( array( 7 => 'trade' ) );
		$items = array_map( fn() => new CustomerItem( $this->user(), 1, false, '1', '0', 7, 1 ), range( 1, 120 ) );
		$this->services->get( CustomerTable::class )->store( $items, 'x' );
		$run = $this->services->get( RoleRun::class );
		$run->start();
		$run->run( new DrainLimits( $this->services->get( Clock::class ), 0.0 ) );
		$this->assertSame( array( true, 120, 20, 100 ), array( $run->progress()['running'], $run->progress()['total'], $run->progress()['left'], $run->progress()['changed'] ) );
		$run->run();
		$this->assertSame( array( false, 0, 120 ), array( $run->progress()['running'], $run->progress()['left'], $run->progress()['changed'] ) );
	}

	public function test_many_changed_types_are_applied_in_the_background(): void {
		$this->set_role_map( array( 7 => 'trade' ) );
		$users = array_map( fn() => $this->user(), range( 1, 25 ) );
		$items = array_map( static fn( int $user ) => array( 'user_id' => $user, 'version' => '1', 'points' => '1', 'credit' => '0', 'type_id' => 7, 'as_of' => '2026-01-02T03:04:05Z' ), $users );
		$this->services->get( CustomerWriter::class )->write( $items, INF );
		$this->assertSame( array( 'customer' ), self::roles( $users[0] ) );
		do_action( 'tillsync_bridge_roles' );
		foreach ( $users as $user ) {
			$this->assertSame( array( 'customer', 'trade' ), self::roles( $user ) );
		}
	}

	public function test_a_failure_for_one_customer_does_not_delay_the_others(): void {
		$this->set_role_map( array( 7 => 'trade' ) );
		list( $bad, $good ) = array( $this->user(), $this->user() );
		add_action(
			'add_user_role',
			static function ( $id ) use ( $bad ): void {
				if ( (int) $id === $bad ) {
					throw new \TypeError( 'a plugin that fails' );
				}
			}
		);
		$this->services->get( CustomerTable::class )->store( array( new CustomerItem( $bad, 1, false, '1', '0', 7, 1 ), new CustomerItem( $good, 1, false, '1', '0', 7, 1 ) ), 'x' );
		$this->services->get( RoleRun::class )->run();
		$this->assertSame( array( 'customer', 'trade' ), self::roles( $good ) );
		$this->assertSame( 0, $this->services->get( CustomerTable::class )->count_due() );
	}

	/** @return array<string, array{0: string, 1: string[]}> */
	public function merchant_choices(): array {
		return array( 'take' => array( RoleMap::TAKE, array( 'customer' ) ), 'keep' => array( RoleMap::KEEP, array( 'customer', 'trade' ) ) );
	}

	/**
	 * @dataProvider merchant_choices
	 * @param string[] $expected
	 */
	public function test_members_of_a_deleted_type_keep_or_lose_the_role_as_the_merchant_chose( string $chosen, array $expected ): void {
		$this->services->get( TypeWriter::class )->write( new CustomerType( 7, 1, false, 'Trade', '10' ) );
		$this->set_role_map( array( 7 => array( 'role' => 'trade', 'when_deleted' => $chosen ), 8 => 'gold' ) );
		$user = $this->user();
		$this->type_of( $user, 7 );
		$this->assertSame( array( 'customer', 'trade' ), self::roles( $user ) );
		$this->services->get( TypeWriter::class )->write( new CustomerType( 7, 2, true ) );
		$this->services->get( RoleRun::class )->run();
		$this->assertSame( $expected, self::roles( $user ) );
		// The till later removes the type from its customers. That changes no role.
		$this->type_of( $user, null );
		do_action( 'tillsync_bridge_daily' );
		do_action( 'tillsync_bridge_minute' );
		$this->assertSame( $expected, self::roles( $user ) );
		$this->type_of( $user, 8 );
		$this->assertSame( array( 'customer', 'gold' ), self::roles( $user ) );
		$this->type_of( $this->user(), 7 );
	}

	public function test_a_customer_who_gets_a_deleted_type_gets_no_role(): void {
		$this->services->get( TypeWriter::class )->write( new CustomerType( 7, 2, true ) );
		$this->set_role_map( array( 7 => array( 'role' => 'trade', 'when_deleted' => RoleMap::KEEP ) ) );
		$user = $this->user();
		$this->type_of( $user, 7 );
		$this->assertSame( array( 'customer' ), self::roles( $user ) );
		$this->services->get( TypeWriter::class )->write( new CustomerType( 7, 3, false, 'Trade', '10' ) );
		$this->services->get( RoleRun::class )->run();
		$this->assertSame( array( 'customer', 'trade' ), self::roles( $user ) );
	}

	public function test_the_preview_counts_what_a_run_would_change_and_changes_nothing(): void {
		list( $one, $staff, $own ) = array( $this->user(), $this->user( 'editor' ), $this->user() );
		get_userdata( $own )->add_role( 'trade' );
		foreach ( array( $one, $staff, $own ) as $user ) {
			$this->type_of( $user, 7 );
		}
		$found = $this->services->get( RolePreview::class )->of( RoleMap::of( array( 7 => array( 'role' => 'trade' ) ) ) );
		$this->assertSame( array( 3, true, 1, 0, 2 ), array( $found['looked_at'], $found['complete'], $found['given'], $found['taken'], $found['left_alone'] ) );
		$this->assertSame( array( 'Trade', '', '' ), array_column( $found['people'], 'give' ) );
		$this->assertSame( array( 'customer' ), self::roles( $one ) );
		$this->set_role_map( array( 7 => 'trade' ) );
		$this->services->get( RoleRun::class )->run();
		$found = $this->services->get( RolePreview::class )->of( RoleMap::of( array() ) );
		$this->assertSame( array( 0, 1 ), array( $found['given'], $found['taken'] ) );
	}

	public function test_uninstalling_can_revoke_all_roles(): void {
		$this->set_role_map( array( 7 => 'trade' ) );
		list( $given, $own ) = array( $this->user(), $this->user() );
		get_userdata( $own )->add_role( 'trade' );
		$this->type_of( $given, 7 );
		$this->type_of( $own, 7 );
		( new Services() )->get( RoleGrants::class )->revoke_all();
		$this->assertSame( array( 'customer' ), self::roles( $given ) );
		$this->assertSame( array( 'customer', 'trade' ), self::roles( $own ) );
		$this->assertSame( 0, $this->services->get( RoleGrants::class )->count() );
	}

	public function test_a_mapping_keeps_only_valid_entries(): void {
		$map = RoleMap::of( array( '7' => array( 'role' => 'trade', 'when_deleted' => 'keep' ), 8 => array( 'role' => '' ), 'x' => array( 'role' => 'trade' ), 9 => 'trade', 10 => array( 'role' => array() ), 0 => array( 'role' => 'trade' ) ) );
		$this->assertSame( array( 7 => array( 'role' => 'trade', 'when_deleted' => 'keep' ) ), $map->entries );
		$this->assertSame( array(), RoleMap::of( 'nonsense' )->entries );
		$this->assertSame( array( 8 ), array_keys( RoleMap::of( array( 7 => array( 'role' => 'trade' ), 8 => array( 'role' => 'editor' ) ) )->problems( $this->services->get( RoleRules::class ) ) ) );
	}

	public function test_no_role_is_changed_without_a_mapping(): void {
		$user = $this->user();
		$this->type_of( $user, 7 );
		$this->assertSame( RoleDecision::UNCHANGED, $this->services->get( RoleSync::class )->decide( $user, RoleMap::saved() )->kind );
		$this->assertSame( array( 'customer' ), self::roles( $user ) );
	}
}
