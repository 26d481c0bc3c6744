<?php
/**
 * Facts about the plugin's state.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Events\HeldCount;
use Tillsync\Bridge\Orders\CallOutcome;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxPause;
use Tillsync\Bridge\Orders\OutboxRow;
use Tillsync\Bridge\Orders\Sweep;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Schema\Tables;
use Tillsync\Bridge\Service\Breaker;

/** Reads the facts for Site Health, the debug information and the command line. It calls no service and holds no secret. */
class HealthFacts {

	/** Seconds after which late cron counts as not running. */
	private const CRON_LATE_SECONDS = 900;

	public function __construct(
		private readonly Breaker $breaker,
		private readonly Sweep $sweep,
		private readonly HeldCount $held_count,
		private readonly Alerts $alerts,
		private readonly OutboxPause $pause,
		private readonly ConnectionStore $connections,
		private readonly Outbox $outbox,
		private readonly CopyGuard $copy_guard,
		private readonly Tables $tables,
		private readonly Clock $clock
	) {}

	/**
	 * @return array{connected: bool, must_choose: bool, account_id: string, url: string, last_success: int, waiting: int, oldest_waiting: int, sent: int, failed: int, missed: int, held: int, causes: int, cron: bool, cron_next: int, paused: string, breaker_until: int, breaker_reason: string, tables: bool}
	 */
	public function read(): array {
		$connection = $this->connections->current();
		$depth      = $this->outbox->depth();
		$now        = $this->clock->now();
		$next       = wp_next_scheduled( Schedule::MINUTE );
		return array(
			'connected'      => null !== $connection,
			'must_choose'    => $this->copy_guard->must_choose(),
			'account_id'     => null === $connection ? '' : $connection->account_id,
			'url'            => null === $connection ? '' : $connection->url,
			'last_success'   => (int) get_option( CallOutcome::LAST_SUCCESS, 0 ),
			'waiting'        => $depth[ OutboxRow::WAITING ]['count'] ?? 0,
			'oldest_waiting' => isset( $depth[ OutboxRow::WAITING ] ) ? max( 0, $now - $depth[ OutboxRow::WAITING ]['oldest'] ) : 0,
			'sent'           => $depth[ OutboxRow::SENT ]['count'] ?? 0,
			'failed'         => $depth[ OutboxRow::FAILED ]['count'] ?? 0,
			'missed'         => $this->sweep->missed(),
			'held'           => $this->held_count->get(),
			'causes'         => count( $this->alerts->all() ),
			'cron'           => false !== $next && $next > $now - self::CRON_LATE_SECONDS,
			'cron_next'      => (int) $next,
			'paused'         => $this->pause->reason(),
			'breaker_until'  => $this->breaker->open_until(),
			'breaker_reason' => $this->breaker->open_until() > 0 ? $this->breaker->reason() : '',
			'tables'         => $this->tables->is_current(),
		);
	}
}
