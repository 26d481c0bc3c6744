<?php
/**
 * Effects of a call's outcome.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Service\Breaker;
use Tillsync\Bridge\Service\ServiceError;

/** Updates breaker and pause after a call to the service, and stores the time of the last success. */
class CallOutcome {

	public const LAST_SUCCESS = 'tillsync_bridge_last_success';

	public function __construct(
		private readonly Breaker $breaker,
		private readonly OutboxPause $pause,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	public function succeeded(): void {
		$this->breaker->succeeded();
		$this->pause->resume();
		update_option( self::LAST_SUCCESS, $this->clock->now(), false );
	}

	/** @return string Why the drain must stop; empty when one more try is allowed. */
	public function failed( ServiceError $error ): string {
		if ( 'not_connected' === $error->connect_code ) {
			return 'not_connected';
		}
		if ( $error->is_refusal() ) {
			$this->pause->pause( $error );
			return 'paused';
		}
		if ( $error->is_throttling() ) {
			$this->breaker->throttled( $error );
			return 'throttled';
		}
		$this->breaker->failed( $error );
		$this->log->warning( 'the service was not reached or failed: ' . $error->getMessage() );
		return 0 < $this->breaker->open_until() ? 'breaker' : '';
	}
}
