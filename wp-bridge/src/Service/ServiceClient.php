<?php
/**
 * The client of the service.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Service;

use Tillsync\Bridge\Connection\Connection;
use Tillsync\Bridge\Connection\CopyGuard;

/**
 * Calls the service with Connect's unary JSON protocol: POST {url}/tillsync.v1.{service}/{method} with the bare message as body. Messages
 * are proto3 JSON: lowerCamelCase names, int64 as text, and zero values omitted in answers.
 *
 * Never call it within a checkout or another hook of a visitor's request. It follows no redirect, because the token belongs to one address.
 */
class ServiceClient {

	/** Bytes. An answer with 500 matches is well below this limit. */
	private const ANSWER_LIMIT = 16 * 1024 * 1024;

	private const JSON_DEPTH = 64;

	/** Characters. Screens, outbox rows and mails can show this length. */
	private const LONGEST_TEXT = 500;

	public function __construct( private readonly ServiceApi $service_api, private readonly CopyGuard $copy_guard ) {}

	/**
	 * Returns the connection if this site may use it.
	 *
	 * @throws ServiceError "not_connected" if the shop is not connected, or the merchant must first choose whether this site is a copy.
	 */
	public function connection(): Connection {
		$connection = $this->copy_guard->usable();
		if ( null === $connection ) {
			throw new ServiceError( 'not_connected', 0, __( 'This shop is not connected to a tillsync service', 'tillsync-bridge' ) );
		}
		return $connection;
	}

	/**
	 * Calls a method with the connection's token.
	 *
	 * @param string               $service For example "AccountService".
	 * @param string               $method  For example "CheckAccount".
	 * @param array<string, mixed> $message The request. A missing accountId is added.
	 * @param int                  $timeout Seconds for the whole call.
	 * @return array<string, mixed> The answer's message.
	 * @throws ServiceError
	 */
	public function call( string $service, string $method, array $message, int $timeout ): array {
		$connection = $this->connection();
		return $this->call_with( $connection->url, $connection->token, $service, $method, $message + array( 'accountId' => $connection->account_id ), $timeout );
	}

	/**
	 * Calls a method at an address that is not the stored connection's, or not yet.
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
		// This loads the class before the call, because an update of the plugin may replace its files during the call.
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
			$error_text = self::clean( $answer->get_error_message(), $token );
			$meaning    = ConnectionErrorTexts::sentence( $error_text, $url );
			throw new ServiceError( ServiceError::TRANSPORT, 0, mb_substr( 'not reached: ' . ( null === $meaning ? $error_text : "{$meaning} ({$error_text})" ), 0, self::LONGEST_TEXT ) );
		}
		return $this->message_of( $answer, $token );
	}

	/**
	 * @param array<string, mixed> $answer Response of wp_remote_post.
	 * @return array<string, mixed>
	 * @throws ServiceError
	 */
	private function message_of( array $answer, #[\SensitiveParameter] string $token ): array {
		$status  = (int) wp_remote_retrieve_response_code( $answer );
		$decoded = json_decode( (string) wp_remote_retrieve_body( $answer ), true, self::JSON_DEPTH, JSON_BIGINT_AS_STRING );
		$is_json = 0 === stripos( (string) self::header( $answer, 'content-type' ), 'application/json' ) && is_array( $decoded );
		$is_error = $is_json && is_string( $decoded['code'] ?? null ) && 200 !== $status;
		if ( $is_error || ( 200 === $status && $is_json ) ) {
			$this->service_api->store( self::header( $answer, ServiceApi::HEADER ) );
		}
		if ( 200 === $status && $is_json ) {
			return $decoded;
		}
		$wait        = self::header( $answer, 'retry-after' );
		$retry_after = is_numeric( $wait ) ? max( 1, (int) $wait ) : null;
		if ( $is_error ) {
			$error_text = is_string( $decoded['message'] ?? null ) && '' !== $decoded['message'] ? $decoded['message'] : $decoded['code'];
			throw new ServiceError( $decoded['code'], $status, self::clean( $error_text, $token ), self::violations( $decoded ), $retry_after, self::reason( $decoded ) );
		}
		if ( $status >= 300 && $status < 400 ) {
			$where = (string) self::header( $answer, 'location' );
			throw new ServiceError( ServiceError::TRANSPORT, $status, self::clean( "the service's address is wrong: it redirects to {$where}", $token ) );
		}
		$kind = 200 === $status ? 'something other than JSON' : 'no answer of the service itself';
		throw new ServiceError( ServiceError::TRANSPORT, $status, "HTTP {$status} with {$kind}: something stands before the service", array(), $retry_after );
	}

	/** @param array<string, mixed> $answer Response of wp_remote_post. */
	private static function header( array $answer, string $name ): string {
		$value = wp_remote_retrieve_header( $answer, $name );
		return (string) ( is_array( $value ) ? end( $value ) : $value );
	}

	/**
	 * Returns the violations of google.rpc.BadRequest. The service repeats each error detail as plain JSON.
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
	 * Returns the reason of google.rpc.ErrorInfo, or an empty text.
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

	/** Returns one line without markup, control characters and the token, at most LONGEST_TEXT characters. */
	private static function clean( string $text, #[\SensitiveParameter] string $token ): string {
		$text = str_replace( $token, '***', wp_strip_all_tags( $text ) );
		$text = (string) preg_replace( '/[\s\x00-\x1f\x7f]+/', ' ', wp_check_invalid_utf8( $text, true ) );
		return mb_substr( trim( $text ), 0, self::LONGEST_TEXT );
	}
}
