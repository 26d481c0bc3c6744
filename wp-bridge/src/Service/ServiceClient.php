<?php
/**
 * Calls to the service.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Service;

use Tillsync\Bridge\Connection\Connection;
use Tillsync\Bridge\Connection\CopyGuard;

/**
 * Connect unary JSON: POST {url}/tillsync.v1.{service}/{method}, the bare message as body. Messages are proto3 JSON: lowerCamelCase,
 * int64 as text, fields with their zero value left out of answers.
 *
 * Never within a checkout or another hook of a visitor's request. Redirects are not followed: the token is for one address.
 */
class ServiceClient {

	/** An answer of 500 matches is well below this. */
	private const ANSWER_LIMIT = 16 * 1024 * 1024;

	private const JSON_DEPTH = 64;

	/** Characters that a screen, a row of the outbox and a mail bear. */
	private const LONGEST_TEXT = 500;

	public function __construct( private readonly ServiceApi $service_api, private readonly CopyGuard $copy_guard ) {}

	/**
	 * The connection, when this site may use it.
	 *
	 * @throws ServiceError Code "not_connected": not connected, or the merchant must first say whether this site is a copy.
	 */
	public function connection(): Connection {
		$connection = $this->copy_guard->usable();
		if ( null === $connection ) {
			throw new ServiceError( 'not_connected', 0, __( 'This shop is not connected to a tillsync service', 'tillsync-bridge' ) );
		}
		return $connection;
	}

	/**
	 * One call with the connection's token.
	 *
	 * @param string               $service For example "AccountService".
	 * @param string               $method  For example "CheckAccount".
	 * @param array<string, mixed> $message The request; accountId is filled in where it is missing.
	 * @param int                  $timeout Seconds, all in all.
	 * @return array<string, mixed> The answer's message.
	 * @throws ServiceError
	 */
	public function call( string $service, string $method, array $message, int $timeout ): array {
		$connection = $this->connection();
		return $this->call_with( $connection->url, $connection->token, $service, $method, $message + array( 'accountId' => $connection->account_id ), $timeout );
	}

	/**
	 * One call to an address that is not, or not yet, the connection's.
	 *
	 * @param array<string, mixed> $message The request.
	 * @return array<string, mixed>
	 * @throws ServiceError
	 */
	public function call_with( string $url, #[\SensitiveParameter] string $token, string $service, string $method, array $message, int $timeout ): array {
		$body = wp_json_encode( (object) $message, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE );
		if ( false === $body ) {
			throw new ServiceError( 'invalid_argument', 0, 'the message cannot be written as JSON: ' . json_last_error_msg() );
		}
		// Loaded before the call: an update of the plugin may replace its files meanwhile.
		$this->service_api;
		$answer = wp_remote_post(
			"{$url}/tillsync.v1.{$service}/{$method}",
			array(
				'timeout'             => $timeout,
				'redirection'         => 0,
				'limit_response_size' => self::ANSWER_LIMIT,
				'user-agent'          => 'tillsync-bridge/' . \Tillsync\Bridge\VERSION,
				'headers'             => array(
					'Authorization'            => "Bearer {$token}",
					'Content-Type'             => 'application/json',
					'Connect-Protocol-Version' => '1',
					'Connect-Timeout-Ms'       => (string) max( 1000, $timeout * 1000 - 500 ),
				),
				'body'                => $body,
			)
		);
		if ( is_wp_error( $answer ) ) {
			$said    = self::clean( $answer->get_error_message(), $token );
			$meaning = ConnectionErrorTexts::sentence( $said, $url );
			throw new ServiceError( ServiceError::TRANSPORT, 0, mb_substr( 'not reached: ' . ( null === $meaning ? $said : "{$meaning} ({$said})" ), 0, self::LONGEST_TEXT ) );
		}
		return $this->message_of( $answer, $token );
	}

	/**
	 * @param array<string, mixed> $answer Of wp_remote_post.
	 * @return array<string, mixed>
	 * @throws ServiceError
	 */
	private function message_of( array $answer, #[\SensitiveParameter] string $token ): array {
		$status  = (int) wp_remote_retrieve_response_code( $answer );
		$decoded = json_decode( (string) wp_remote_retrieve_body( $answer ), true, self::JSON_DEPTH, JSON_BIGINT_AS_STRING );
		$is_json = 0 === stripos( (string) self::header( $answer, 'content-type' ), 'application/json' ) && is_array( $decoded );
		$is_error = $is_json && is_string( $decoded['code'] ?? null ) && 200 !== $status;
		if ( $is_error || ( 200 === $status && $is_json ) ) {
			$this->service_api->heard( self::header( $answer, ServiceApi::HEADER ) );
		}
		if ( 200 === $status && $is_json ) {
			return $decoded;
		}
		$wait        = self::header( $answer, 'retry-after' );
		$retry_after = is_numeric( $wait ) ? max( 1, (int) $wait ) : null;
		if ( $is_error ) {
			$said = is_string( $decoded['message'] ?? null ) && '' !== $decoded['message'] ? $decoded['message'] : $decoded['code'];
			throw new ServiceError( $decoded['code'], $status, self::clean( $said, $token ), self::violations( $decoded ), $retry_after, self::reason( $decoded ) );
		}
		if ( $status >= 300 && $status < 400 ) {
			$where = (string) self::header( $answer, 'location' );
			throw new ServiceError( ServiceError::TRANSPORT, $status, self::clean( "the service's address is wrong: it redirects to {$where}", $token ) );
		}
		$kind = 200 === $status ? 'something other than JSON' : 'no answer of the service itself';
		throw new ServiceError( ServiceError::TRANSPORT, $status, "HTTP {$status} with {$kind}: something stands before the service", array(), $retry_after );
	}

	/** @param array<string, mixed> $answer Of wp_remote_post. */
	private static function header( array $answer, string $name ): string {
		$value = wp_remote_retrieve_header( $answer, $name );
		return (string) ( is_array( $value ) ? end( $value ) : $value );
	}

	/**
	 * What google.rpc.BadRequest names. The service repeats each detail as plain JSON.
	 *
	 * @param array<string, mixed> $error Connect's error object.
	 * @return array<int, array{field: string, description: string}>
	 */
	private static function violations( array $error ): array {
		$found = array();
		foreach ( (array) ( $error['details'] ?? array() ) as $detail ) {
			foreach ( (array) ( $detail['debug']['fieldViolations'] ?? array() ) as $violation ) {
				if ( is_array( $violation ) ) {
					$found[] = array( 'field' => (string) ( $violation['field'] ?? '' ), 'description' => (string) ( $violation['description'] ?? '' ) );
				}
			}
		}
		return $found;
	}

	/**
	 * The reason of google.rpc.ErrorInfo.
	 *
	 * @param array<string, mixed> $error Connect's error object.
	 */
	private static function reason( array $error ): string {
		foreach ( (array) ( $error['details'] ?? array() ) as $detail ) {
			$reason = is_array( $detail ) ? $detail['debug']['reason'] ?? null : null;
			if ( is_string( $reason ) && preg_match( '/^[A-Z0-9_]{1,63}$/D', $reason ) ) {
				return $reason;
			}
		}
		return '';
	}

	/** One line without markup, control characters or the token, of a length that a screen bears. */
	private static function clean( string $text, #[\SensitiveParameter] string $token ): string {
		$text = str_replace( $token, '***', wp_strip_all_tags( $text ) );
		$text = (string) preg_replace( '/[\s\x00-\x1f\x7f]+/', ' ', wp_check_invalid_utf8( $text, true ) );
		return mb_substr( trim( $text ), 0, self::LONGEST_TEXT );
	}
}
