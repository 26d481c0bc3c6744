<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Rest\SignedRequest;
use Tillsync\Bridge\Rest\StatusRoute;
use WP_REST_Request;

require_once __DIR__ . '/../BridgeTestCase.php';

final class SignedRequestTest extends BridgeTestCase {
	private const ROUTE = '/wc-tillsync/v1/status';

	private function signed( string $secret, string $method = 'GET', string $route = self::ROUTE, string $body = '', ?int $at = null ): WP_REST_Request {
		$request = new WP_REST_Request( $method, $route );
		$stamp   = (string) ( $at ?? $this->clock->now );
		$request->set_body( $body );
		$request->set_header( 'X-Tillsync-Timestamp', $stamp );
		$request->set_header( 'X-Tillsync-Signature', 'v1=' . hash_hmac( 'sha256', "v1\n$stamp\n$method\n$route\n" . hash( 'sha256', $body ), $secret ) );
		return $request;
	}

	private function code( WP_REST_Request $request ): string {
		$answer = $this->services->get( SignedRequest::class )->permission( $request );
		return true === $answer ? 'ok' : $answer->get_error_code() . ' ' . $answer->get_error_data()['status'];
	}

	public function test_the_signature_matches_the_contract(): void {
		$this->assertSame(
			'v1=' . hash_hmac( 'sha256', "v1\n1700000000\nPOST\n/wc-tillsync/v1/events\n" . hash( 'sha256', '{"events":[]}' ), 'key' ),
			SignedRequest::signature( 'key', '1700000000', 'POST', '/wc-tillsync/v1/events', '{"events":[]}' )
		);
	}

	/** @group catches:signatures-are-verified */
	public function test_only_the_right_signature_is_accepted(): void {
		$this->connect();
		$this->assertSame( 'ok', $this->code( $this->signed( self::SECRET ) ) );
		$this->assertSame( 'rest_forbidden 401', $this->code( new WP_REST_Request( 'GET', self::ROUTE ) ) );
		$this->assertSame( 'rest_forbidden 401', $this->code( $this->signed( 'another secret' ) ) );
		$this->assertSame( 'rest_forbidden 401', $this->code( $this->signed( '' ) ) );
		foreach ( array( 'body' => fn( $r ) => $r->set_body( ' ' ), 'method' => fn( $r ) => $r->set_method( 'POST' ), 'route' => fn( $r ) => $r->set_route( '/wc-tillsync/v1/events' ), 'time' => fn( $r ) => $r->set_header( 'X-Tillsync-Timestamp', (string) ( $this->clock->now + 1 ) ) ) as $what => $tamper ) {
			$request = $this->signed( self::SECRET );
			$tamper( $request );
			$this->assertSame( 'rest_forbidden 401', $this->code( $request ), "tampered $what" );
		}
	}

	/** @group catches:recorded-requests-expire */
	public function test_a_recorded_request_is_refused_after_five_minutes(): void {
		$this->connect();
		$request = $this->signed( self::SECRET );
		$this->advance( 300 );
		$this->assertSame( 'ok', $this->code( $request ) );
		$this->advance( 1 );
		$this->assertSame( 'rest_forbidden 401', $this->code( $request ) );
		$this->assertSame( 'rest_forbidden 401', $this->code( $this->signed( self::SECRET, 'GET', self::ROUTE, '', $this->clock->now + 301 ) ) );
		foreach ( array( '', 'now', '-5', '1e9', '1234567890123', "1700000000\n" ) as $stamp ) {
			$request = $this->signed( self::SECRET );
			$request->set_header( 'X-Tillsync-Timestamp', $stamp );
			$this->assertSame( 'rest_forbidden 401', $this->code( $request ) );
		}
	}

	public function test_every_request_is_refused_while_the_shop_is_not_connected(): void {
		$this->assertSame( 'rest_forbidden 401', $this->code( $this->signed( '' ) ) );
		$this->assertSame( 'rest_forbidden 401', $this->code( $this->signed( self::SECRET ) ) );
	}

	/** @group catches:copies-accept-nothing */
	public function test_a_copy_refuses_requests_until_the_merchant_has_chosen(): void {
		$this->connect( 'https://live.example.test' );
		$this->assertSame( 'tillsync_site_differs 403', $this->code( $this->signed( self::SECRET ) ) );
		$this->assertSame( 'rest_forbidden 401', $this->code( $this->signed( 'another secret' ) ) );
	}

	/** @group catches:pending-secrets-expire */
	public function test_the_pending_secret_is_accepted_for_status_only_during_a_connect(): void {
		$this->connect();
		$new = str_repeat( 'n', 43 );
		$this->services->get( ConnectionStore::class )->store_pending_secret( $new );
		$gate = $this->services->get( SignedRequest::class );
		$this->assertTrue( $gate->status_permission( $this->signed( $new ) ) );
		$this->assertTrue( $gate->status_permission( $this->signed( self::SECRET ) ) );
		$this->assertSame( 'rest_forbidden 401', $this->code( $this->signed( $new ) ) );
		$this->advance( 121 );
		$this->assertInstanceOf( \WP_Error::class, $gate->status_permission( $this->signed( $new ) ) );
	}

	public function test_status_describes_the_shop_and_is_never_cached(): void {
		$response = $this->services->get( StatusRoute::class )->answer();
		$this->assertSame( array( 'bridge_version', 'api', 'apis', 'home_url', 'wordpress', 'woocommerce', 'max_batch', 'price_decimals' ), array_keys( $response->get_data() ) );
		$this->assertSame( array( 1, array( 1, 2, 3 ), 500, get_option( 'home' ) ), array( $response->get_data()['api'], $response->get_data()['apis'], $response->get_data()['max_batch'], $response->get_data()['home_url'] ) );
		$this->assertSame( 'no-store, private', $response->get_headers()['Cache-Control'] );
	}
}
