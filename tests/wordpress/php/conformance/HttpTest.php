<?php
declare( strict_types=1 );

namespace Tillsync\Tests\Conformance;

use Tillsync\Tests\SiteTestCase;
use WP_REST_Request;

/** Covers WordPress's HTTP client and REST server. */
final class HttpTest extends SiteTestCase {
	public function test_a_call_without_a_timeout_waits_5_seconds(): void {
		$seconds = null;
		add_filter(
			'pre_http_request',
			static function ( $answer, array $args ) use ( &$seconds ) {
				$seconds = (int) $args['timeout'];
				return array( 'response' => array( 'code' => 200, 'message' => 'OK' ), 'headers' => array(), 'body' => '', 'cookies' => array(), 'filename' => null );
			},
			10,
			2
		);
		wp_remote_get( 'http://127.0.0.1:9/' );
		$this->assertSame( 5, $seconds );
	}

	/** @dataProvider refused_urls */
	public function test_safe_calls_refuse_private_hosts_and_unusual_ports( string $url ): void {
		remove_all_filters( 'http_request_host_is_external' );
		remove_all_filters( 'http_allowed_safe_ports' );
		$this->assertFalse( wp_http_validate_url( $url ) );
	}

	/** @return array<string, array{string}> */
	public function refused_urls(): array {
		return array(
			'loopback'     => array( 'http://127.0.0.2/' ),
			'private'      => array( 'http://10.1.2.3/' ),
			'unusual port' => array( 'https://1.2.3.4:50051/' ),
		);
	}

	public function test_the_usual_ports_are_accepted(): void {
		remove_all_filters( 'http_allowed_safe_ports' );
		// WordPress refuses the networks of documentation (192.0.2.0/24 and others) since 2026. This test only checks the address.
		foreach ( array( '', ':80', ':443', ':8080' ) as $port ) {
			$this->assertNotFalse( wp_http_validate_url( "http://1.2.3.4$port/" ), $port );
		}
	}

	public function test_one_bad_item_refuses_the_whole_batch_when_the_schema_describes_items(): void {
		add_action(
			'rest_api_init',
			static function (): void {
				register_rest_route(
					'tillsync-conformance/v1',
					'/batch',
					array(
						'methods'             => 'POST',
						'permission_callback' => '__return_true',
						'callback'            => static fn() => array( 'ok' => true ),
						'args'                => array( 'items' => array( 'type' => 'array', 'items' => array( 'type' => 'object', 'properties' => array( 'user_id' => array( 'type' => 'integer', 'required' => true ) ) ) ) ),
					)
				);
			}
		);
		$GLOBALS['wp_rest_server'] = null;
		$request                   = new WP_REST_Request( 'POST', '/tillsync-conformance/v1/batch' );
		$request->set_param( 'items', array( array( 'user_id' => 1 ), array( 'user_id' => 'no number' ) ) );
		$this->assertSame( 400, rest_do_request( $request )->get_status() );
		$request->set_param( 'items', array( array( 'user_id' => 1 ) ) );
		$this->assertSame( 200, rest_do_request( $request )->get_status() );
		$GLOBALS['wp_rest_server'] = null;
	}
}
