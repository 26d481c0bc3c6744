<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Connection\Connection;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Customers\CustomerItem;
use Tillsync\Bridge\Customers\CustomerTable;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Types\CustomerType;
use Tillsync\Bridge\Types\TypeTable;
use WP_REST_Request;
use WP_REST_Response;

/** Covers the till panel on a user's profile, and the routes of its buttons. */
final class CustomersProfileTest extends SiteTestCase {

	/** @var array<int, array{0: string, 1: array<string, mixed>}> Method and message of each call to the service. */
	private array $calls = array();

	/** @var array<string, array{0: int, 1: array<string, mixed>}> Status and body of the service's answer, by method. */
	private array $answers = array();

	protected function setUp(): void {
		parent::setUp();
		$home = untrailingslashit( (string) get_option( 'home' ) );
		Plugin::services()->get( ConnectionStore::class )->save( new Connection( 'https://sync.example.test', 'corner-shop', 'token', str_repeat( 's', 43 ), $home, wp_get_environment_type(), time() ) );
		add_filter(
			'pre_http_request',
			function ( $response, array $sent, string $url ) {
				$method        = basename( $url );
				$this->calls[] = array( $method, json_decode( $sent['body'], true ) );
				list( $status, $body ) = $this->answers[ $method ] ?? array( 404, array( 'code' => 'not_found', 'message' => 'not linked' ) );
				return array( 'headers' => array( 'content-type' => 'application/json' ), 'body' => wp_json_encode( $body ), 'response' => array( 'code' => $status, 'message' => '' ), 'cookies' => array(), 'filename' => null );
			},
			10,
			3
		);
	}

	private function panel( int $user ): string {
		ob_start();
		do_action( 'edit_user_profile', get_userdata( $user ) );
		return (string) ob_get_clean();
	}

	/** @param array<string, mixed> $body */
	private function request( string $method, int $user, array $body = array() ): WP_REST_Response {
		$request = new WP_REST_Request( $method, "/tillsync-bridge/v1/customers/{$user}/link" );
		if ( array() !== $body ) {
			$request->set_header( 'Content-Type', 'application/json' );
			$request->set_body( (string) wp_json_encode( $body ) );
		}
		return rest_get_server()->dispatch( $request );
	}

	private function act_as( string $role ): void {
		wp_set_current_user( $this->user( $role ) );
	}

	public function test_values_are_shown_without_a_call_to_the_service(): void {
		$this->act_as( 'administrator' );
		$user = $this->user();
		Plugin::services()->get( CustomerTable::class )->store( array( new CustomerItem( $user, 1, false, '1234.50', '-3.5', 7, 1767323045 ) ), 'x' );
		Plugin::services()->get( TypeTable::class )->store( new CustomerType( 7, 1, false, 'Trade <b>' ) );
		$html = $this->panel( $user );
		foreach ( array( '1,234.5', '-3.50', 'Trade &lt;b&gt;', '<time datetime="2026-01-02T03:04:05Z">', 'data-user="' . $user . '"' ) as $part ) {
			$this->assertStringContainsString( $part, $html );
		}
		$this->assertSame( array(), $this->calls );
	}

	public function test_only_managers_who_may_edit_the_user_see_the_panel(): void {
		$user = $this->user();
		Plugin::services()->get( CustomerTable::class )->store( array( new CustomerItem( $user, 1, false, '5', '0', null, 1 ) ), 'x' );
		foreach ( array( 'customer' => 403, 'editor' => 403, 'administrator' => 200 ) as $role => $status ) {
			$this->act_as( $role );
			$this->assertSame( 200 === $status, '' !== $this->panel( $user ), $role );
			$this->assertSame( $status, $this->request( 'GET', $user )->get_status(), $role );
			foreach ( array( 'POST', 'DELETE' ) as $method ) {
				if ( 200 !== $status ) {
					$this->assertSame( $status, $this->request( $method, $user, array( 'epos_customer_id' => '8' ) )->get_status(), "$role $method" );
				}
			}
		}
		wp_set_current_user( 0 );
		$this->assertSame( 401, $this->request( 'GET', $user )->get_status() );
	}

	public function test_a_shop_manager_may_not_link_an_administrator(): void {
		$admin = $this->user( 'administrator' );
		$user  = $this->user();
		$this->act_as( 'shop_manager' );
		// The real WooCommerce lets shop managers edit customers only. A manager who may not edit the administrator may not link them.
		if ( ! current_user_can( 'edit_user', $admin ) ) {
			$this->assertSame( 403, $this->request( 'DELETE', $admin )->get_status() );
		}
		add_filter( 'map_meta_cap', static fn( $caps, $cap, $by, $args ) => 'edit_user' === $cap && (int) ( $args[0] ?? 0 ) === $admin ? array( 'do_not_allow' ) : $caps, 20, 4 );
		$this->assertSame( 403, $this->request( 'DELETE', $admin )->get_status() );
		$this->assertSame( 403, $this->request( 'POST', $admin, array( 'epos_customer_id' => '8' ) )->get_status() );
		$this->assertSame( array(), array_filter( $this->calls, static fn( array $call ) => (string) $admin === ( $call[1]['wooCustomerId'] ?? '' ) ) );
		$this->assertSame( 200, $this->request( 'GET', $user )->get_status() );
	}

	public function test_linking_and_unlinking_call_the_service(): void {
		$this->act_as( 'administrator' );
		$user          = $this->user();
		$link          = array( 'eposCustomerId' => '8', 'wooCustomerId' => (string) $user, 'usable' => true, 'origin' => 'LINK_ORIGIN_BY_HAND', 'createTime' => '2026-01-02T03:04:05Z' );
		$this->assertNull( $this->request( 'GET', $user )->get_data()['link'] );
		$this->answers = array(
			'CreateLink'          => array( 200, array( 'link' => $link, 'releasedOrderCount' => 2 ) ),
			'GetLink'             => array( 200, array( 'link' => $link ) ),
			'SearchEposCustomers' => array( 200, array( 'customers' => array( array( 'eposCustomerId' => '8', 'name' => 'Ada B.' ) ) ) ),
			'DeleteLink'          => array( 200, array( 'link' => $link ) ),
		);
		$made = $this->request( 'POST', $user, array( 'epos_customer_id' => '8' ) )->get_data();
		$this->assertSame( array( '8', true, 'Ada B.' ), array( $made['link']['epos_customer_id'], $made['link']['usable'], $made['link']['customer']['name'] ) );
		$this->assertStringContainsString( '2 held orders', $made['said'] );
		$this->assertContains( array( 'CreateLink', array( 'wooCustomerId' => (string) $user, 'eposCustomerId' => '8', 'accountId' => 'corner-shop' ) ), $this->calls );
		$this->assertNull( $this->request( 'DELETE', $user )->get_data()['link'] );
		$this->assertSame( 'DeleteLink', end( $this->calls )[0] );
		$this->answers['SearchEposCustomers'] = array( 503, array( 'code' => 'unavailable', 'message' => 'the till cannot be read' ) );
		$this->assertSame( array( '8', null ), array( $this->request( 'GET', $user )->get_data()['link']['epos_customer_id'], $this->request( 'GET', $user )->get_data()['link']['customer'] ) );
	}

	public function test_a_link_of_the_previous_person_of_a_user_id_shows_no_till_customer(): void {
		$this->act_as( 'administrator' );
		$user          = $this->user();
		$order         = $this->order( 'processing', $user );
		$this->answers = array( 'SearchEposCustomers' => array( 200, array( 'customers' => array( array( 'eposCustomerId' => '8', 'name' => 'Ada B.' ) ) ) ) );
		$seen          = array();
		foreach ( array( null, get_userdata( $user )->user_registered . ' UTC', '2001-02-03T04:05:06Z' ) as $registered ) {
			$time                     = null === $registered ? array() : array( 'wooRegisteredTime' => gmdate( 'Y-m-d\TH:i:s\Z', strtotime( $registered ) ) );
			$this->answers['GetLink'] = array( 200, array( 'link' => array( 'eposCustomerId' => '8', 'wooCustomerId' => (string) $user, 'usable' => true ) + $time ) );
			$profile                  = $this->request( 'GET', $user )->get_data()['link'];
			$panel                    = rest_get_server()->dispatch( new WP_REST_Request( 'GET', "/tillsync-bridge/v1/orders/{$order->get_id()}/link" ) )->get_data()['link'];
			$seen[]                   = array( $profile['usable'], $profile['customer']['name'] ?? null, $panel['usable'], $panel['customer']['name'] ?? null );
		}
		$own = array( true, 'Ada B.', true, 'Ada B.' );
		$this->assertSame( array( $own, $own, array( false, null, false, null ) ), $seen );
	}

	public function test_a_refused_link_is_reported_and_not_stored(): void {
		$this->act_as( 'administrator' );
		$user          = $this->user();
		$this->answers = array( 'CreateLink' => array( 409, array( 'code' => 'already_exists', 'message' => 'till customer 8 is linked to shop customer 5' ) ) );
		$answer        = $this->request( 'POST', $user, array( 'epos_customer_id' => '8' ) );
		$this->assertSame( 409, $answer->get_status() );
		$this->assertStringContainsString( 'is linked to shop customer 5', $answer->get_data()['message'] );
		$this->assertSame( 400, $this->request( 'POST', $user, array( 'epos_customer_id' => '8; DROP' ) )->get_status() );
		$this->assertSame( 409, $this->request( 'POST', 999999, array( 'epos_customer_id' => '8' ) )->get_status() );
		$this->assertNull( $this->request( 'DELETE', $user )->get_data()['link'], 'somebody else was quicker' );
	}
}
