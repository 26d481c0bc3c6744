<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

require_once __DIR__ . '/BridgeTestCase.php';

/** Finds every callback of the plugin in WordPress's hooks and calls it without arguments and with invalid ones. No callback throws. */
final class HooksTest extends BridgeTestCase {
	/** The first ones end the request, and HTTP tests check their permissions. The others belong to the beginning of a request. */
	private const ENDS = '/^(?:admin_post_.*|before_woocommerce_init|plugins_loaded)$/D';

	/** @return array<int, array{0: string, 1: callable}> Hook and callback. */
	private static function plugin_callbacks(): array {
		$root  = dirname( \Tillsync\Bridge\PLUGIN_FILE );
		$found = array();
		foreach ( $GLOBALS['wp_filter'] as $hook => $of_hook ) {
			foreach ( $of_hook->callbacks as $callbacks ) {
				foreach ( $callbacks as $callback ) {
					$function = $callback['function'];
					$made     = is_array( $function ) && is_callable( $function ) ? new \ReflectionMethod( $function[0], $function[1] ) : ( is_callable( $function ) ? new \ReflectionFunction( \Closure::fromCallable( $function ) ) : null );
					if ( null !== $made && 0 === strpos( (string) $made->getFileName(), realpath( $root ) ) && ! preg_match( self::ENDS, (string) $hook ) ) {
						$found[] = array( (string) $hook, $function );
					}
				}
			}
		}
		return $found;
	}

	/** @return array<string, array{0: array<int, mixed>}> */
	public function arguments(): array {
		return array(
			'nothing'       => array( array() ),
			'nulls'         => array( array( null, null, null, null ) ),
			'objects'       => array( array( new \stdClass(), new \stdClass(), new \stdClass(), new \stdClass() ) ),
			'texts'         => array( array( 'x', "\u{fffd}", '', 'processing' ) ),
			'numbers'       => array( array( -1, 1.5, PHP_INT_MAX, false ) ),
			'lists'         => array( array( array( array() ), array( 'x' => array() ), array(), array( null ) ) ),
			'a known order' => array( array( 'an order', 'pending', 'processing', 'an order' ) ),
		);
	}

	/**
	 * @dataProvider arguments
	 * @param array<int, mixed> $arguments Arguments of the hook.
	 */
	public function test_no_callback_throws( array $arguments ): void {
		wp_set_current_user( $this->user( 'administrator' ) );
		set_current_screen( 'plugins' );
		$this->connect();
		add_filter( 'pre_http_request', static fn() => new \WP_Error( 'http_request_failed', 'nobody is there' ), 1 );
		if ( 'an order' === ( $arguments[0] ?? '' ) ) {
			$order     = $this->order();
			$arguments = array( $order->get_id(), 'pending', 'processing', $order );
		}
		$callbacks = self::plugin_callbacks();
		$this->assertGreaterThan( 40, count( $callbacks ) );
		foreach ( $callbacks as list( $hook, $callback ) ) {
			ob_start();
			try {
				$callback( ...$arguments );
				$thrown = '';
			} catch ( \Throwable $error ) {
				$thrown = get_class( $error ) . ': ' . $error->getMessage() . ' at ' . basename( $error->getFile() ) . ':' . $error->getLine();
			} finally {
				ob_end_clean();
			}
			$this->assertSame( '', $thrown, $hook );
		}
	}

	public function test_a_failure_in_the_plugins_code_is_answered_with_500(): void {
		$connection = $this->connect();
		$services   = \Tillsync\Bridge\Plugin::services();
		add_filter(
			'query',
			static function ( $sql ) {
				if ( str_contains( $sql, 'tillsync_customer' ) || str_contains( $sql, 'tillsync_event' ) ) {
					throw new \TypeError( 'of a database drop-in' );
				}
				return $sql;
			}
		);
		$user  = $this->user();
		$item  = array( 'user_id' => $user, 'version' => '5', 'points' => '1', 'credit' => '0', 'type_id' => null, 'as_of' => '2026-01-02T03:04:05Z' );
		$event = array( 'event_id' => 'e1', 'subject' => 'order:5', 'sequence' => '1', 'type' => 'order.finished', 'entry_id' => '', 'state' => 'PROCESSED', 'outcome' => 'MATCHED_LINK', 'held_count' => 0 );
		$calls = array(
			array( 'POST', '/wc-tillsync/v1/customers/batch', array( 'items' => array( $item ) ) ),
			array( 'POST', '/wc-tillsync/v1/events', array( 'events' => array( $event ) ) ),
			array( 'PUT', '/wc-tillsync/v1/customer-types/7', array( 'version' => '1', 'name' => 'Trade', 'discount' => '10', 'description' => '' ) ),
			array( 'DELETE', '/wc-tillsync/v1/customer-types/7', array( 'version' => '1' ) ),
		);
		foreach ( $calls as list( $method, $route, $content ) ) {
			$request = new \WP_REST_Request( $method, $route );
			$body    = (string) wp_json_encode( $content );
			$now     = (string) time();
			$request->set_body( $body );
			$request->set_header( 'Content-Type', 'application/json' );
			$request->set_header( 'X-Tillsync-Timestamp', $now );
			$request->set_header( 'X-Tillsync-Signature', \Tillsync\Bridge\Rest\SignedRequest::signature( $connection->bridge_secret, $now, $method, $route, $body ) );
			$answer = rest_do_request( $request );
			$this->assertSame( array( 500, 'tillsync_failed' ), array( $answer->get_status(), $answer->get_data()['code'] ), $route );
			$this->assertStringNotContainsString( 'drop-in', (string) wp_json_encode( $answer->get_data() ) );
		}
		$this->assertNotNull( $services );
	}
}
