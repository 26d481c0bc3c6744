<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

/**
 * Replaces the service behind wp_remote_post with scripted answers, and records its calls. Without a script an order is accepted and stays
 * pending.
 */
final class FakeService {
	/** @var array<int, array{method: string, url: string, message: array<string, mixed>, arguments: array<string, mixed>}> */
	public array $calls = array();

	/** API version of the messages that the service reads, sent as a header. Empty for an earlier service, which sends no header. */
	public string $api = '';

	/** @var array<string, array<int, mixed>> */
	private array $scripts = array();

	public function __construct() {
		add_filter( 'pre_http_request', fn( $answer, $arguments, $url ) => false === $answer ? $this->answer( $arguments, $url ) : $answer, 10, 3 );
	}

	/**
	 * Sets the answers of a method, which are used in turn. The last one is repeated.
	 *
	 * @param mixed ...$answers A message (200), a \WP_Error, a list(status, body, headers), or a Closure that takes the message and returns one of these.
	 */
	public function script( string $method, ...$answers ): void {
		$this->scripts[ $method ] = $answers;
	}

	/** @return array<int, array<string, mixed>> Messages of a method's calls. */
	public function messages( string $method ): array {
		return array_values( array_map( static fn( $call ) => $call['message'], array_filter( $this->calls, static fn( $call ) => $call['method'] === $method ) ) );
	}

	/** @return array{0: int, 1: string} An error as Connect writes it. */
	public static function error( int $status, string $code, string $message = 'said so' ): array {
		return array( $status, (string) json_encode( array( 'code' => $code, 'message' => $message ) ) );
	}

	/** @return array<string, mixed> An OrderMatch. */
	public static function match( int $order_id, string $state, string $outcome = '', string $comment = '', int $customer = 0 ): array {
		return array_filter( array( 'orderId' => (string) $order_id, 'entryId' => "entry-$order_id", 'state' => $state, 'outcome' => $outcome, 'comment' => $comment, 'eposCustomerId' => $customer > 0 ? (string) $customer : '' ) );
	}

	/** @return mixed */
	private function answer( array $arguments, string $url ) {
		$method = (string) substr( $url, (int) strrpos( $url, '/' ) + 1 );
		$message = json_decode( (string) $arguments['body'], true, 64, JSON_THROW_ON_ERROR );
		$this->calls[] = array( 'method' => $method, 'url' => $url, 'message' => $message, 'arguments' => $arguments );
		$answer = $this->next_answer( $method );
		$answer = $answer instanceof \Closure ? $answer( $message ) : $answer;
		if ( $answer instanceof \WP_Error ) {
			return $answer;
		}
		list( $status, $body, $headers ) = isset( $answer[0] ) && is_int( $answer[0] ) ? $answer + array( 2 => array() ) : array( 200, (string) json_encode( (object) $answer ), array() );
		return array( 'headers' => $headers + array( 'content-type' => 'application/json' ) + array_filter( array( 'tillsync-api' => $this->api ) ), 'body' => $body, 'response' => array( 'code' => $status, 'message' => '' ), 'cookies' => array(), 'filename' => null );
	}

	/** @return mixed */
	private function next_answer( string $method ) {
		if ( isset( $this->scripts[ $method ] ) ) {
			return count( $this->scripts[ $method ] ) > 1 ? array_shift( $this->scripts[ $method ] ) : $this->scripts[ $method ][0];
		}
		switch ( $method ) {
			case 'BatchMatchOrderCustomers':
				return static fn( array $message ) => array( 'results' => array_map( static fn( $order ) => array( 'ok' => array( 'entry' => array( 'entryId' => 'entry-' . $order['order']['orderId'], 'state' => 'ENTRY_STATE_PENDING' ) ) ), $message['orders'] ) );
			case 'BatchGetOrderMatches':
				return static fn( array $message ) => array( 'results' => array_map( static fn( $id ) => array( 'ok' => self::match( (int) $id, 'ENTRY_STATE_PENDING' ) ), $message['orderIds'] ) );
			default:
				return array();
		}
	}
}
