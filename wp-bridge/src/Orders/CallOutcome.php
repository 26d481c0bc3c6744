<?php
/**
 * What a call's success or failure means for the next ones.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Service\Breaker;
use Tillsync\Bridge\Service\ServiceError;
use Tillsync\Bridge\Services;

/** Feeds the breaker and the pause, and notes when the service last answered. */
class CallOutcome {

	public const LAST_SUCCESS = 'tillsync_bridge_last_success';

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function succeeded(): void {
		$this->services->get( Breaker::class )->succeeded();
		$this->services->get( OutboxPause::class )->resume();
		update_option( self::LAST_SUCCESS, $this->services->clock()->now(), false );
	}

	/** @return string Why the drain is to stop; empty: one more try is allowed. */
	public function failed( ServiceError $error ): string {
		if ( 'not_connected' === $error->connect_code ) {
			return 'not_connected';
		}
		if ( $error->is_refusal() ) {
			$this->services->get( OutboxPause::class )->pause( $error );
			return 'paused';
		}
		$breaker = $this->services->get( Breaker::class );
		if ( $error->is_throttling() ) {
			$breaker->throttled( $error );
			return 'throttled';
		}
		$breaker->failed( $error );
		$this->services->log()->warning( 'the service was not reached or failed: ' . $error->getMessage() );
		return 0 < $breaker->open_until() ? 'breaker' : '';
	}
}
