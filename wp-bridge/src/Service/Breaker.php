<?php
/**
 * The circuit breaker.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Service;

use Tillsync\Bridge\Clock;


/**
 * Stops background calls to a service that does not answer. Two transport failures in a row open it for one minute, then two, four, up to
 * half an hour. The first call after that time opens or closes it again, and a success closes it. A throttling answer opens it for the
 * requested time. No order is lost meanwhile, because outbox rows stay due.
 */
final class Breaker {

	private const OPTION = 'tillsync_bridge_breaker';

	private const FAILURES_ALLOWED = 2;
	private const FIRST_SECONDS    = 60;
	private const LONGEST_SECONDS  = 1800;

	public function __construct( private readonly Clock $clock ) {}

	/** Returns the unix seconds until which no call may be sent, or 0 when calls may be sent. */
	public function open_until(): int {
		$state = $this->state();
		return $state['until'] > $this->clock->now() ? $state['until'] : 0;
	}

	/** Returns the last failure's message for people, or an empty text. */
	public function reason(): string {
		return $this->state()['reason'];
	}

	/** Returns the number of failures in a row. */
	public function failures(): int {
		return $this->state()['failures'];
	}

	public function succeeded(): void {
		if ( false !== get_option( self::OPTION ) ) {
			delete_option( self::OPTION );
		}
	}

	public function failed( ServiceError $error ): void {
		$failures = $this->failures() + 1;
		$delay    = $failures < self::FAILURES_ALLOWED ? 0 : min( self::LONGEST_SECONDS, self::FIRST_SECONDS << min( 10, $failures - self::FAILURES_ALLOWED ) );
		$this->store( $failures, max( $delay, min( $error->retry_after ?? 0, self::LONGEST_SECONDS ) ), $error->getMessage() );
	}

	/** Opens the breaker because the service asked to wait. This is no transport failure. */
	public function throttled( ServiceError $error ): void {
		$this->store( 0, min( $error->retry_after ?? self::FIRST_SECONDS, self::LONGEST_SECONDS ), $error->getMessage() );
	}

	private function store( int $failures, int $delay, string $reason ): void {
		$until = 0 === $delay ? 0 : $this->clock->now() + $delay;
		update_option( self::OPTION, array( 'failures' => $failures, 'until' => $until, 'reason' => $reason ), false );
	}

	/** @return array{failures: int, until: int, reason: string} */
	private function state(): array {
		$state = get_option( self::OPTION );
		$state = is_array( $state ) ? $state : array();
		return array(
			'failures' => (int) ( $state['failures'] ?? 0 ),
			'until'    => (int) ( $state['until'] ?? 0 ),
			'reason'   => (string) ( $state['reason'] ?? '' ),
		);
	}
}
