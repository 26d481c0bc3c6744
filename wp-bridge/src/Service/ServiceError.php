<?php
/**
 * The error of a failed call.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Service;

/**
 * Callers branch on the code. The service itself answers with one of Connect's sixteen codes. TRANSPORT means that no answer of the service
 * arrived: no connection, a timeout, a proxy's HTML, or a redirect. The message is one sentence without credentials. A message of the
 * service is English.
 */
final class ServiceError extends \RuntimeException {

	public const TRANSPORT = 'transport';

	/**
	 * @param array<int, array{field: string, description: string}> $violations  Violations that INVALID_ARGUMENT names.
	 * @param int|null                                              $retry_after Seconds that the service asked to wait.
	 * @param string                                                $reason      ErrorInfo's reason, such as "SHOP_REST_OFF"; empty where
	 * there is none.
	 */
	public function __construct(
		public readonly string $connect_code,
		public readonly int $status,
		string $message,
		public readonly array $violations = array(),
		public readonly ?int $retry_after = null,
		public readonly string $reason = ''
	) {
		parent::__construct( $message );
	}

	/** Tells whether the request may not have reached the service, or the service could not work on it. */
	public function is_transport(): bool {
		return in_array( $this->connect_code, array( self::TRANSPORT, 'unavailable', 'deadline_exceeded', 'internal', 'unknown', 'data_loss', 'canceled' ), true );
	}

	/** Tells whether the service refused the token or the right. Calls fail until a person acts. */
	public function is_refusal(): bool {
		return 401 === $this->status || 403 === $this->status || in_array( $this->connect_code, array( 'unauthenticated', 'permission_denied' ), true );
	}

	public function is_throttling(): bool {
		return 429 === $this->status || 'resource_exhausted' === $this->connect_code;
	}

	/** Tells whether the service, or the web server in front of it, refuses this message as a whole. */
	public function is_bad_message(): bool {
		return 413 === $this->status || in_array( $this->connect_code, array( 'invalid_argument', 'out_of_range' ), true );
	}

	/** Returns the message, with the remedy where it is known here. */
	public function sentence(): string {
		$text = rtrim( $this->getMessage(), '.' ) . '.';
		if ( 'unauthenticated' === $this->connect_code ) {
			return $text . ' ' . __( 'The token is unknown or revoked: ask your tillsync operator for a new connect string.', 'tillsync-bridge' );
		}
		if ( 'permission_denied' === $this->connect_code ) {
			return $text . ' ' . __( 'The token does not belong to this account: ask your tillsync operator for a new connect string.', 'tillsync-bridge' );
		}
		if ( self::TRANSPORT === $this->connect_code ) {
			return $text . ' ' . __( 'See that the service runs and that this web server may reach it, then try again.', 'tillsync-bridge' );
		}
		return $text;
	}
}
