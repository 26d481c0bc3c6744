<?php
declare( strict_types=1 );

namespace Tillsync\Tests\Conformance;

use Tillsync\Tests\SiteTestCase;
use WC_Customer;

/** Covers users, their meta and their roles. */
final class PeopleTest extends SiteTestCase {
	public function test_writing_meta_of_a_missing_user_succeeds(): void {
		global $wpdb;
		$this->assertNotFalse( update_user_meta( 999999, 'some_key', 'value' ) );
		$this->assertSame( '1', (string) $wpdb->get_var( "SELECT COUNT(*) FROM $wpdb->usermeta WHERE user_id = 999999" ) );
	}

	public function test_a_missing_customer_has_the_id_0(): void {
		$this->assertSame( 0, ( new WC_Customer( 999999 ) )->get_id() );
	}

	public function test_saving_a_customer_stores_names_and_billing_fields(): void {
		$user     = $this->user( 'customer', 'ada@example.test' );
		$customer = new WC_Customer( $user );
		$saved    = $this->calls_of( 'woocommerce_update_customer' );
		$customer->set_first_name( 'Ada' );
		$customer->set_billing_phone( '01632 960001' );
		$this->assertSame( array( 'first_name', 'billing' ), array_keys( array_filter( $this->changes( $customer ) ) ) );
		$customer->save();
		$this->assertGreaterThan( 0, count( $saved ) );
		wp_cache_flush();
		$this->assertSame( array( 'Ada', '01632 960001' ), array( ( new WC_Customer( $user ) )->get_first_name(), get_user_meta( $user, 'billing_phone', true ) ) );
	}

	/** @return array<string, mixed> The top-level properties that change. The parts of an address count as one. */
	private function changes( WC_Customer $customer ): array {
		$changes = array();
		foreach ( $customer->get_changes() as $name => $value ) {
			$changes[ 0 === strpos( $name, 'billing' ) ? 'billing' : $name ] = $value;
		}
		return $changes;
	}

	public function test_setting_the_same_value_is_no_change(): void {
		$user = $this->user( 'customer', 'ada@example.test' );
		update_user_meta( $user, 'first_name', 'Ada' );
		$customer = new WC_Customer( $user );
		$customer->set_first_name( 'Ada' );
		$this->assertSame( array(), $customer->get_changes() );
	}

	public function test_saving_names_keeps_a_second_role(): void {
		$id = $this->user( 'customer' );
		get_user_by( 'id', $id )->add_role( 'subscriber' );
		$customer = new WC_Customer( $id );
		$customer->set_first_name( 'Ada' );
		$customer->save();
		clean_user_cache( $id );
		$this->assertContains( 'subscriber', get_user_by( 'id', $id )->roles );
	}

	public function test_saving_a_user_with_a_role_erases_the_second(): void {
		$id = $this->user( 'customer' );
		get_user_by( 'id', $id )->add_role( 'subscriber' );
		wp_update_user( array( 'ID' => $id, 'role' => 'customer' ) );
		clean_user_cache( $id );
		$this->assertSame( array( 'customer' ), array_values( get_user_by( 'id', $id )->roles ) );
	}

	public function test_a_missing_role_that_is_added_becomes_a_junk_capability(): void {
		$id = $this->user( 'customer' );
		get_user_by( 'id', $id )->add_role( 'no_such_role' );
		clean_user_cache( $id );
		$this->assertArrayHasKey( 'no_such_role', get_user_by( 'id', $id )->caps );
		$this->assertNotContains( 'no_such_role', get_user_by( 'id', $id )->roles );
	}

	public function test_users_regain_a_role_that_is_added_again(): void {
		add_role( 'gold', 'Gold', array( 'read' => true ) );
		$id = $this->user( 'customer' );
		get_user_by( 'id', $id )->add_role( 'gold' );
		remove_role( 'gold' );
		clean_user_cache( $id );
		$this->assertArrayHasKey( 'gold', get_user_by( 'id', $id )->caps );
		add_role( 'gold', 'Gold', array( 'read' => true ) );
		clean_user_cache( $id );
		$this->assertContains( 'gold', get_user_by( 'id', $id )->roles );
		remove_role( 'gold' );
	}

	public function test_a_rollback_leaves_wrong_values_in_the_object_cache(): void {
		global $wpdb;
		$id = $this->user( 'customer' );
		update_user_meta( $id, 'some_key', 'before' );
		$wpdb->query( 'COMMIT' );
		$wpdb->query( 'START TRANSACTION' );
		update_user_meta( $id, 'some_key', 'after' );
		get_user_meta( $id, 'some_key', true );
		$wpdb->query( 'ROLLBACK' );
		$this->assertSame( 'after', get_user_meta( $id, 'some_key', true ) );
		$this->assertSame( 'before', $wpdb->get_var( $wpdb->prepare( "SELECT meta_value FROM $wpdb->usermeta WHERE user_id = %d AND meta_key = 'some_key'", $id ) ) );
		wp_cache_flush();
		wp_delete_user( $id );
	}

	public function test_a_shop_manager_may_not_promote_users(): void {
		$manager = $this->user( 'shop_manager' );
		$this->assertTrue( user_can( $manager, 'manage_woocommerce' ) );
		$this->assertTrue( user_can( $manager, 'edit_users' ) );
		$this->assertFalse( user_can( $manager, 'promote_users' ) );
		$this->assertFalse( user_can( $manager, 'manage_options' ) );
	}
}
