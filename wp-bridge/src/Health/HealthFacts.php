<?php
/**
 * How the bridge is.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

use Tillsync\Bridge\Events\HeldCount;
use Tillsync\Bridge\Orders\CallOutcome;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Orders\OutboxRow;
use Tillsync\Bridge\Orders\Sweep;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Service\Breaker;
use Tillsync\Bridge\Services;

/** What Site Health, the debug information and the command line say, read once. Asks no service; holds no secret. */
class HealthFacts {

	/** Cron that is this late does not run. */
	private const CRON_LATE_SECONDS = 900;

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	/**
	 * @return array{connected: bool, must_choose: bool, account_id: string, url: string, last_success: int, waiting: int, oldest_waiting: int, sent: int, failed: int, missed: int, held: int, causes: int, cron: bool, cron_next: int, paused: string, breaker_until: int, breaker_reason: string, tables: bool}
	 */
	public function read(): array {
		$connection = $this->services->connection();
		$depth      = $this->services->outbox()->depth();
		$now        = $this->services->clock()->now();
		$next       = wp_next_scheduled( Schedule::MINUTE );
		$breaker    = $this->services->get( Breaker::class );
		return array(
			'connected'      => null !== $connection,
			'must_choose'    => $this->services->copy_guard()->must_choose(),
			'account_id'     => null === $connection ? '' : $connection->account_id,
			'url'            => null === $connection ? '' : $connection->url,
			'last_success'   => (int) get_option( CallOutcome::LAST_SUCCESS, 0 ),
			'waiting'        => $depth[ OutboxRow::WAITING ]['count'] ?? 0,
			'oldest_waiting' => isset( $depth[ OutboxRow::WAITING ] ) ? max( 0, $now - $depth[ OutboxRow::WAITING ]['oldest'] ) : 0,
			'sent'           => $depth[ OutboxRow::SENT ]['count'] ?? 0,
			'failed'         => $depth[ OutboxRow::FAILED ]['count'] ?? 0,
			'missed'         => $this->services->get( Sweep::class )->missed(),
			'held'           => $this->services->get( HeldCount::class )->get(),
			'causes'         => count( $this->services->get( Causes::class )->all() ),
			'cron'           => false !== $next && $next > $now - self::CRON_LATE_SECONDS,
			'cron_next'      => (int) $next,
			'paused'         => $this->services->get( OutboxPause::class )->reason(),
			'breaker_until'  => $breaker->open_until(),
			'breaker_reason' => $breaker->open_until() > 0 ? $breaker->reason() : '',
			'tables'         => $this->services->tables()->is_current(),
		);
	}
}
