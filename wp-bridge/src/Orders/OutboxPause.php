<?php
/**
 * The outbox stands still because the service refuses us.
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
 * After 401 or 403 nothing is sent until the shop is connected again, or the merchant says to try. Once an hour one drain tries by
 * itself, in case it was put right on the other side. One notice tells of it, as long as it stands.
 */
final class OutboxPause {

	private const OPTION        = 'tillsync_bridge_pause';
	private const RETRY_SECONDS = 3600;

	public function __construct( private readonly Clock $clock, private readonly Log $log ) {}

	/** Since when; 0: it does not stand still. */
	public function since(): int {
		return $this->state()['since'];
	}

	/** One sentence with what to do; empty: it does not stand still. */
	public function reason(): string {
		return $this->state()['reason'];
	}

	/** Whether nothing may be sent now. */
	public function holds(): bool {
		$state = $this->state();
		return 0 !== $state['since'] && $this->clock->now() < $state['retry_at'];
	}

	/** When a drain tries again by itself; 0: it does not stand still. */
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
					/** The outbox has begun to stand still. */
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
					/** The outbox goes on. */
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
