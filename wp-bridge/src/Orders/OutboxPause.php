<?php
/**
 * The pause of the outbox.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Service\ServiceError;

/**
 * Stops sending after the service answered 401 or 403. The pause ends when the shop is connected again, or when the merchant asks for a try
 * that succeeds. Once an hour one drain tries without a request, because the operator may have fixed the cause. One notice shows the pause
 * as long as it lasts.
 */
final class OutboxPause {

	private const OPTION        = 'tillsync_bridge_pause';
	private const RETRY_SECONDS = 3600;

	public function __construct( private readonly Clock $clock, private readonly Log $log ) {}

	/** Returns the unix seconds since which the outbox is paused, or 0. */
	public function since(): int {
		return $this->state()['since'];
	}

	/** Returns one sentence with the remedy, or an empty text without a pause. */
	public function reason(): string {
		return $this->state()['reason'];
	}

	/** Tells whether nothing may be sent now. */
	public function holds(): bool {
		$state = $this->state();
		return 0 !== $state['since'] && $this->clock->now() < $state['retry_at'];
	}

	/** Returns the unix seconds of the next try, or 0 without a pause. */
	public function retry_at(): int {
		return $this->state()['retry_at'];
	}

	public function pause( ServiceError $error ): void {
		$now   = $this->clock->now();
		$since = $this->since();
		$state = array( 'since' => 0 === $since ? $now : $since, 'retry_at' => $now + self::RETRY_SECONDS, 'reason' => $error->sentence() );
		update_option( self::OPTION, $state, false );
		if ( 0 === $since ) {
			$this->log->error( 'the service refuses this shop, nothing is sent: ' . $error->getMessage() );
			SafeCall::run(
				$this->log,
				'tillsync_outbox_paused',
				static function () use ( $state ): void {
					/** Fires when a pause of the outbox begins. */
					do_action( 'tillsync_outbox_paused', $state['reason'] );
				}
			);
		}
	}

	public function resume(): void {
		if ( false !== get_option( self::OPTION ) ) {
			delete_option( self::OPTION );
			SafeCall::run(
				$this->log,
				'tillsync_outbox_resumed',
				static function (): void {
					/** Fires when a pause of the outbox ends. */
					do_action( 'tillsync_outbox_resumed' );
				}
			);
		}
	}

	/** @return array{since: int, retry_at: int, reason: string} */
	private function state(): array {
		$state = get_option( self::OPTION );
		$state = is_array( $state ) ? $state : array();
		return array(
			'since'    => (int) ( $state['since'] ?? 0 ),
			'retry_at' => (int) ( $state['retry_at'] ?? 0 ),
			'reason'   => (string) ( $state['reason'] ?? '' ),
		);
	}
}
