<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Service\Breaker;
use Tillsync\Bridge\Service\ServiceApi;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;

require_once __DIR__ . '/../BridgeTestCase.php';

final class ServiceClientTest extends BridgeTestCase {
	private function failure( $answer ): ServiceError {
		$this->connect();
		$this->service->script( 'CheckAccount', $answer );
		try {
			$this->services->get( ServiceClient::class )->call( 'AccountService', 'CheckAccount', array(), 5 );
		} catch ( ServiceError $error ) {
			return $error;
		}
		$this->fail( 'no error' );
	}

	public function test_a_call_uses_the_connect_protocol(): void {
		$this->connect();
		$this->service->script( 'CheckAccount', array( 'ok' => true ) );
		$this->assertSame( array( 'ok' => true ), $this->services->get( ServiceClient::class )->call( 'AccountService', 'CheckAccount', array(), 5 ) );
		$call = $this->service->calls[0];
		$this->assertSame( 'https://service.example.test/tillsync.v1.AccountService/CheckAccount', $call['url'] );
		$this->assertSame( array( 'accountId' => 'corner-shop' ), $call['message'] );
		$this->assertSame( array( 'application/json', '1', '4500' ), array( $call['arguments']['headers']['Content-Type'], $call['arguments']['headers']['Connect-Protocol-Version'], $call['arguments']['headers']['Connect-Timeout-Ms'] ) );
	}

	public function test_the_client_stores_which_messages_the_service_reads(): void {
		$api = $this->services->get( ServiceApi::class );
		$this->assertSame( 1, $api->version(), 'a service that says nothing refuses unknown fields' );
		$said = array(
			array( array( 200, '{}', array( 'content-type' => 'application/json', 'tillsync-api' => '2' ) ), 2 ),
			array( array( 502, '<html>bad gateway</html>', array( 'content-type' => 'text/html' ) ), 2 ),
			array( array( 400, '{"code":"invalid_argument"}', array( 'content-type' => 'application/json', 'tillsync-api' => '3' ) ), 3 ),
			array( array( 400, '{"code":"invalid_argument"}', array( 'content-type' => 'application/json' ) ), 1 ),
		);
		$this->connect();
		foreach ( $said as list( $answer, $expected ) ) {
			$this->service->script( 'CheckAccount', $answer );
			try {
				$this->services->get( ServiceClient::class )->call( 'AccountService', 'CheckAccount', array(), 5 );
			} catch ( ServiceError $error ) {
				$this->assertNotSame( 200, $error->status );
			}
			$this->assertSame( $expected, $api->version() );
		}
	}

	public function test_an_error_of_the_service_has_its_code_and_its_violations(): void {
		$body  = array( 'code' => 'invalid_argument', 'message' => 'bad', 'details' => array( array( 'type' => 'google.rpc.BadRequest', 'value' => '', 'debug' => array( 'fieldViolations' => array( array( 'field' => 'order.order_key', 'description' => '64 hex digits' ) ) ) ) ) );
		$error = $this->failure( array( 400, json_encode( $body ) ) );
		$this->assertSame( array( 'invalid_argument', 400, 'bad' ), array( $error->connect_code, $error->status, $error->getMessage() ) );
		$this->assertSame( array( array( 'field' => 'order.order_key', 'description' => '64 hex digits' ) ), $error->violations );
		$this->assertTrue( $error->is_bad_message() );
		$this->assertFalse( $error->is_transport() );
	}

	/** @dataProvider foreign_answers */
	public function test_an_answer_that_is_not_the_services_is_a_transport_error( $answer, string $says ): void {
		$error = $this->failure( $answer );
		$this->assertSame( ServiceError::TRANSPORT, $error->connect_code );
		$this->assertTrue( $error->is_transport() );
		$this->assertStringContainsString( $says, $error->getMessage() );
		$this->assertFalse( $error->is_bad_message() );
	}

	public function foreign_answers(): array {
		return array(
			'not reached'   => array( new \WP_Error( 'http_request_failed', 'cURL error 28: timed out' ), 'timed out' ),
			'html'          => array( array( 200, '<html>welcome</html>', array( 'content-type' => 'text/html' ) ), 'HTTP 200' ),
			'html 400'      => array( array( 400, '<html>bad</html>', array( 'content-type' => 'text/html' ) ), 'HTTP 400' ),
			'html 502'      => array( array( 502, '<html>bad gateway</html>', array( 'content-type' => 'text/html' ) ), 'HTTP 502' ),
			'broken json'   => array( array( 200, '{"results":[' ), 'HTTP 200' ),
			'a text'        => array( array( 200, '"hello"' ), 'HTTP 200' ),
			'empty'         => array( array( 200, '' ), 'HTTP 200' ),
			'silent 500'    => array( array( 500, '' ), 'HTTP 500' ),
			'moved'         => array( array( 308, '', array( 'location' => 'https://www.example.test/' ) ), 'https://www.example.test/' ),
		);
	}

	/**
	 * Rows are WordPress's errors for each wrong port and protocol of a real service, from both of its transports.
	 *
	 * @dataProvider wrong_addresses
	 */
	public function test_a_wrong_address_is_reported_with_its_remedy( string $scheme, string $said, string $means ): void {
		$this->connect();
		$this->service->script( 'CheckAccount', new \WP_Error( 'http_request_failed', $said ) );
		try {
			$this->services->get( ServiceClient::class )->call_with( "{$scheme}://service.example.test", 'token-of-tests', 'AccountService', 'CheckAccount', array(), 5 );
			$this->fail( 'no error' );
		} catch ( ServiceError $error ) {
			$this->assertStringStartsWith( 'not reached: ', $error->getMessage() );
			$this->assertStringContainsString( $means, $error->getMessage() );
			$this->assertStringContainsString( $said, $error->getMessage(), 'the words of WordPress, for support' );
			$this->assertTrue( $error->is_transport() );
		}
	}

	public function wrong_addresses(): array {
		$wrong_version = 'error:0A00010B:SSL routines::wrong version number';
		$no_plain_http = 'TILLSYNC_PUBLIC_URL must begin with https:// where the service has TLS';
		return array(
			'plain to gRPC'          => array( 'http', 'cURL error 1: Received HTTP/0.9 when not allowed', $no_plain_http ),
			'plain to TLS'           => array( 'http', 'cURL error 52: Empty reply from server', $no_plain_http ),
			'plain to TLS, reset'    => array( 'http', 'cURL error 56: Recv failure: Connection reset by peer', $no_plain_http ),
			'plain to TLS, streams'  => array( 'http', 'Response could not be parsed', $no_plain_http ),
			'TLS to plain'           => array( 'https', "cURL error 35: OpenSSL/3.0.19: {$wrong_version}", 'TILLSYNC_PUBLIC_URL must begin with http://' ),
			'TLS to plain, streams'  => array( 'https', "stream_socket_client(): SSL operation failed with code 1. OpenSSL Error messages: {$wrong_version}", 'TILLSYNC_PUBLIC_URL must begin with http://' ),
			'TLS to gRPC'            => array( 'https', 'cURL error 52: Empty reply from server', 'not the gRPC port' ),
			'untrusted'              => array( 'https', 'cURL error 60: SSL certificate problem: self-signed certificate', 'TILLSYNC_TLS_CERT_FILE must hold the whole chain' ),
			'another name, streams'  => array( 'https', 'SSL certificate did not match the requested domain name', 'for the name in TILLSYNC_PUBLIC_URL' ),
			'closed'                 => array( 'https', "cURL error 7: Failed to connect to service.example.test port 1: Couldn't connect to server", 'nothing listens' ),
			'closed, streams'        => array( 'http', 'Connection refused', 'nothing listens' ),
			'no such host'           => array( 'http', 'cURL error 6: Could not resolve host: service.example.test', 'no host of the name' ),
		);
	}

	public function test_unavailable_and_internal_are_transport_errors_and_throttling_is_not(): void {
		$this->assertTrue( $this->failure( FakeService::error( 503, 'unavailable' ) )->is_transport() );
		$this->assertTrue( $this->failure( FakeService::error( 500, 'internal' ) )->is_transport() );
		$error = $this->failure( array( 429, json_encode( array( 'code' => 'resource_exhausted' ) ), array( 'retry-after' => '17' ) ) );
		$this->assertFalse( $error->is_transport() );
		$this->assertTrue( $error->is_throttling() );
		$this->assertSame( 17, $error->retry_after );
	}

	public function test_no_text_contains_the_token(): void {
		$error = $this->failure( array( 400, json_encode( array( 'code' => 'internal', 'message' => "<b>token-of-tests</b>\n was refused" ) ) ) );
		$this->assertSame( '*** was refused', $error->getMessage() );
		$this->assertStringNotContainsString( 'token-of-tests', $this->failure( new \WP_Error( 'x', 'Authorization: Bearer token-of-tests' ) )->getMessage() );
	}

	public function test_nothing_is_called_without_a_usable_connection(): void {
		foreach ( array( null, 'https://live.example.test' ) as $home ) {
			null === $home || $this->connect( $home );
			try {
				$this->services->get( ServiceClient::class )->call( 'AccountService', 'CheckAccount', array(), 5 );
				$this->fail( 'called all the same' );
			} catch ( ServiceError $error ) {
				$this->assertSame( 'not_connected', $error->connect_code );
			}
		}
		$this->assertSame( array(), $this->service->calls );
	}

	public function test_the_breaker_opens_at_the_second_failure_and_its_delays_grow(): void {
		$breaker = $this->services->get( Breaker::class );
		$error   = new ServiceError( ServiceError::TRANSPORT, 0, 'not reached' );
		$breaker->failed( $error );
		$this->assertSame( 0, $breaker->open_until() );
		foreach ( array( 60, 120, 240, 480, 960, 1800, 1800 ) as $seconds ) {
			$breaker->failed( $error );
			$this->assertSame( $this->clock->now + $seconds, $breaker->open_until() );
			$this->advance( $seconds );
			$this->assertSame( 0, $breaker->open_until() );
		}
		$breaker->succeeded();
		$breaker->failed( $error );
		$this->assertSame( 0, $breaker->open_until() );
	}
}
