<?php
/**
 * A call to the service failed.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Service;

/**
 * Clients branch on the code: one of Connect's sixteen when the service itself answered, TRANSPORT when it did not (no connection, a
 * timeout, HTML of something in between, a redirect). The message is one sentence without credentials; from the service it is English,
 * as the rest of what the service says.
 */
final class ServiceError extends \RuntimeException {

	public const TRANSPORT = 'transport';

	/**
	 * @param array<int, array{field: string, description: string}> $violations  What INVALID_ARGUMENT names.
	 * @param int|null                                              $retry_after Seconds the service asked to wait.
	 * @param string                                                $reason      ErrorInfo's reason, such as "SHOP_REST_OFF"; empty: none.
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

	/** Whether it is unknown whether the service even got the request, or the service was in no state to work on it. */
	public function is_transport(): bool {
		return in_array( $this->connect_code, array( self::TRANSPORT, 'unavailable', 'deadline_exceeded', 'internal', 'unknown', 'data_loss', 'canceled' ), true );
	}

	/** The token or the right is refused: nothing will go until somebody does something. */
	public function is_refusal(): bool {
		return 401 === $this->status || 403 === $this->status || in_array( $this->connect_code, array( 'unauthenticated', 'permission_denied' ), true );
	}

	public function is_throttling(): bool {
		return 429 === $this->status || 'resource_exhausted' === $this->connect_code;
	}

	/** The service, or the web server before it, cannot take this message as a whole. */
	public function is_bad_message(): bool {
		return 413 === $this->status || in_array( $this->connect_code, array( 'invalid_argument', 'out_of_range' ), true );
	}

	/** The message, and what to do where that is known here. */
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
