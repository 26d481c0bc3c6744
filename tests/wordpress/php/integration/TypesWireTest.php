<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Customers\CustomerItem;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Rest\CustomerTypesRoute;
use Tillsync\Bridge\Services;
use Tillsync\Bridge\Types\TypeTable;
use WP_REST_Request;

/** Covers customer-types/{id} behind the signature check, and the actions that it fires. */
final class TypesWireTest extends SiteTestCase {

	private const PUT = array( 'name' => 'Trade', 'discount' => '10', 'description' => "For\nresellers" );

	/**
	 * @param array<string, mixed> $body
	 * @return array<string, mixed>
	 */
	private function send( string $method, int $id, array $body ): array {
		$request = new WP_REST_Request( $method, "/wc-tillsync/v1/customer-types/{$id}" );
		$request->set_url_params( array( 'id' => (string) $id ) );
		$request->set_header( 'Content-Type', 'application/json' );
		$request->set_body( (string) wp_json_encode( $body ) );
		$request->set_query_params( array( 'id' => '66' ) );
		$route = Plugin::services()->get( CustomerTypesRoute::class );
		return ( 'PUT' === $method ? $route->put( $request ) : $route->delete( $request ) )->get_data();
	}

	public function test_older_writes_are_refused_and_a_tombstone_stays(): void {
		$this->assertSame( array( 'id' => 7, 'status' => 'updated' ), $this->send( 'PUT', 7, array( 'version' => '10' ) + self::PUT ) );
		$this->assertSame( array( 'id' => 7, 'status' => 'unchanged' ), $this->send( 'PUT', 7, array( 'version' => '10' ) + self::PUT ) );
		$this->assertSame( array( 'id' => 7, 'status' => 'unchanged' ), $this->send( 'PUT', 7, array( 'version' => '11' ) + self::PUT ) );
		$this->assertSame( array( 'id' => 7, 'status' => 'stale', 'version' => '11' ), $this->send( 'PUT', 7, array( 'version' => '10' ) + self::PUT ) );
		$this->assertSame( array( 'id' => 7, 'status' => 'stale', 'version' => '11' ), $this->send( 'PUT', 7, array( 'version' => '11', 'name' => 'Other' ) + self::PUT ) );
		$this->assertSame( array( 'id' => 7, 'status' => 'updated' ), $this->send( 'DELETE', 7, array( 'version' => '20' ) ) );
		$this->assertSame( array( 'id' => 7, 'status' => 'unchanged' ), $this->send( 'DELETE', 7, array( 'version' => '20' ) ) );
		$this->assertSame( array( 'id' => 7, 'status' => 'stale', 'version' => '20' ), $this->send( 'PUT', 7, array( 'version' => '19' ) + self::PUT ) );
		$this->assertTrue( Plugin::services()->get( TypeTable::class )->read( 7 )->removed );
		$this->assertSame( array( 'id' => 8, 'status' => 'unchanged' ), $this->send( 'DELETE', 8, array( 'version' => '5' ) ) );
		$this->assertSame( array( 'id' => 8, 'status' => 'stale', 'version' => '5' ), $this->send( 'PUT', 8, array( 'version' => '4' ) + self::PUT ) );
		$this->assertNull( Plugin::services()->get( TypeTable::class )->read( 66 ) );
	}

	public function test_invalid_fields_are_named(): void {
		foreach ( array( 'version' => array( 'version' => 10 ), 'name' => array( 'version' => '1', 'name' => 5 ), 'discount' => array( 'version' => '1', 'discount' => 10 ), 'description' => array( 'version' => '1', 'description' => null ) ) as $field => $body ) {
			$this->assertSame( array( 'id' => 7, 'status' => 'invalid', 'field' => $field ), $this->send( 'PUT', 7, $body + self::PUT ) );
		}
		$this->assertSame( array( 'id' => 7, 'status' => 'invalid', 'field' => 'version' ), $this->send( 'DELETE', 7, array() ) );
		$this->assertSame( array( 'id' => 7, 'status' => 'updated' ), $this->send( 'PUT', 7, array( 'version' => '1', 'role' => 'of a newer service' ) + self::PUT ) );
	}

	public function test_long_names_are_cut_and_tags_are_removed(): void {
		$long = str_repeat( 'ä', 300 );
		$this->assertSame( 'updated', $this->send( 'PUT', 7, array( 'version' => '1', 'name' => $long ) + self::PUT )['status'] );
		$this->assertSame( 255, mb_strlen( Plugin::services()->get( TypeTable::class )->read( 7 )->name ) );
		$this->assertSame( 'unchanged', $this->send( 'PUT', 7, array( 'version' => '2', 'name' => $long ) + self::PUT )['status'] );
		$this->assertSame( 'updated', $this->send( 'PUT', 7, array( 'version' => '3', 'name' => "Gold \u{1F451} <b>x</b>" ) + self::PUT )['status'] );
		$this->assertSame( "Gold \u{1F451} x", Plugin::services()->get( TypeTable::class )->read( 7 )->name );
	}

	public function test_the_action_fires_for_changes_only(): void {
		$calls = $this->calls_of( 'tillsync_customer_type_updated' );
		$this->send( 'PUT', 7, array( 'version' => '10' ) + self::PUT );
		$this->send( 'PUT', 7, array( 'version' => '11' ) + self::PUT );
		$this->send( 'DELETE', 7, array( 'version' => '12' ) );
		$this->assertSame( array( array( 7, false ), array( 7, true ) ), array_map( static fn( array $call ) => array( $call[0], $call[1]['removed'] ), $calls->getArrayCopy() ) );
	}

	public function test_the_discount_is_stored_and_applied_to_nothing(): void {
		list( $member, $other ) = array( $this->user(), $this->user() );
		$this->send( 'PUT', 7, array( 'version' => '10', 'discount' => '7.5' ) + self::PUT );
		Plugin::services()->get( CustomerTable::class )->store( array( new CustomerItem( $member, 1, false, '1', '0', 7, 1 ), new CustomerItem( $other, 1, false, '1', '0', 9, 1 ) ), 'x' );
		$this->assertSame( '7.5', apply_filters( 'tillsync_customer_type_discount', '0', $member ) );
		$this->assertSame( '0', apply_filters( 'tillsync_customer_type_discount', '0', $other ) );
		$this->assertNull( apply_filters( 'tillsync_customer_type_discount', null, 0 ) );
		$this->send( 'DELETE', 7, array( 'version' => '11' ) );
		$fresh = ( new Services() )->get( \Tillsync\Bridge\Types\TypeDiscount::class );
		$this->assertSame( '0', $fresh->discount( '0', $member ) );
	}
}
