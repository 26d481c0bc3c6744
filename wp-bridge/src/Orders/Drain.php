<?php
/**
 * The drain of the outbox.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Confirmation\ConfirmationKey;
use Tillsync\Bridge\Confirmation\Confirmations;
use Tillsync\Bridge\Confirmation\ConfirmationTable;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Customers\RegistrationTime;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Events\HeldCount;
use Tillsync\Bridge\Health\Alert;
use Tillsync\Bridge\Health\Alerts;
use Tillsync\Bridge\Health\AlertTracker;
use Tillsync\Bridge\Health\HeldOrders;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Schema\Tables;
use Tillsync\Bridge\Service\Breaker;
use Tillsync\Bridge\Service\ConnectionErrorTexts;
use Tillsync\Bridge\Service\ServiceApi;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;
use Tillsync\Bridge\Users\UserChanges;
use Tillsync\Bridge\Users\UserChangeSender;
use Tillsync\Bridge\Users\UserHooks;

/**
 * Sends user changes, then waiting orders, and then polls for answers of sent ones, until nothing is due. Several drains may run at once
 * (Action Scheduler, cron, the command line), because each claims its rows. At its end a drain finds the next due time and schedules itself
 * for it. Action Scheduler refuses other attempts to schedule while the action runs.
 */
class Drain {

	private const SEND_LIMIT = 100;
	private const POLL_LIMIT = 200;

	/** Longer than a drain and its last call together. */
	private const CLAIM_SECONDS = 120;

	/** Classes that the drain uses, also through the plugin's callbacks of hooks that it fires. */
	private const NEEDED = array(
		Answer::class, AnswerRecorder::class, Answers::class, AnswerTexts::class, CallOutcome::class, DrainLimits::class, DrainReport::class, DrainTimer::class,
		OrderFacts::class, OrderText::class, Outbox::class, OutboxPause::class, OutboxRow::class, Poller::class, RefusalText::class, SilentQueries::class, RowDelay::class, Sender::class,
		Breaker::class, ServiceClient::class, ServiceError::class, SiteSettings::class, Alert::class, Alerts::class, HeldCount::class,
		Confirmations::class, ConfirmationKey::class, ConfirmationTable::class, Tables::class, AlertTracker::class, HeldOrders::class,
		Clock::class, Database::class, SafeCall::class, Log::class, DatabaseError::class, Schedule::class,
		RegistrationTime::class, ServiceApi::class, ConnectionErrorTexts::class, UserChanges::class, UserChangeSender::class, UserHooks::class,
	);

	public function __construct(
		private readonly UserChangeSender $user_change_sender,
		private readonly Sender $sender,
		private readonly Poller $poller,
		private readonly OutboxPause $pause,
		private readonly Breaker $breaker,
		private readonly DrainTimer $drain_timer,
		private readonly Outbox $outbox,
		private readonly Tables $tables,
		private readonly CopyGuard $copy_guard,
		private readonly Clock $clock
	) {
		// An update of the plugin may replace the files during a drain, so all classes that this process still needs are loaded now.
		array_map( 'class_exists', self::NEEDED );
	}

	/**
	 * Runs one drain.
	 *
	 * @param DrainLimits|null $limits  Default: 20 s and 60 % of the memory limit.
	 * @param bool             $forced  A person asked for it, so it ignores an open breaker and a pause.
	 */
	public function run( ?DrainLimits $limits = null, bool $forced = false ): DrainReport {
		$limits = $limits ?? new DrainLimits( $this->clock );
		$report = new DrainReport();
		$report->stopped_by = $this->stop_reason( $forced );
		// User changes go first, so the service knows of a deleted user before the next order of the same person.
		$report->stopped_by = '' === $report->stopped_by ? $this->user_change_sender->send( $report, $limits ) : $report->stopped_by;
		while ( '' === $report->stopped_by ) {
			$report->stopped_by = $limits->reason_to_stop();
			if ( '' !== $report->stopped_by ) {
				break;
			}
			$rows = $this->outbox->claim( OutboxRow::WAITING, self::SEND_LIMIT, self::CLAIM_SECONDS );
			if ( null !== $rows && array() !== $rows ) {
				$report->stopped_by = $this->sender->send( $rows, $report, $limits );
				continue;
			}
			$rows = null === $rows ? null : $this->outbox->claim( OutboxRow::SENT, self::POLL_LIMIT, self::CLAIM_SECONDS );
			if ( null === $rows ) {
				// The table is missing, or the database is read-only. This recreates a missing table where the database allows it.
				$this->tables->migrate();
				$report->stopped_by = 'table';
			} elseif ( array() === $rows ) {
				break;
			} else {
				$report->stopped_by = $this->poller->poll( $rows, $report, $limits );
			}
		}
		$report->next_due = $this->next_due();
		$this->schedule_next( $report );
		return $report;
	}

	/**
	 * Handles one order now, because a person asks for it. A waiting order is sent, and a sent one is polled. A row claimed by another
	 * process is skipped.
	 */
	public function run_one( int $order_id ): DrainReport {
		$limits             = new DrainLimits( $this->clock );
		$report             = new DrainReport();
		$report->stopped_by = $this->stop_reason( true );
		$row                = '' === $report->stopped_by ? $this->outbox->claim_one( $order_id, self::CLAIM_SECONDS ) : null;
		if ( null !== $row ) {
			$report->stopped_by = OutboxRow::WAITING === $row->state
				? $this->sender->send( array( $row ), $report, $limits )
				: $this->poller->poll( array( $row ), $report, $limits );
		}
		$report->next_due = $this->next_due();
		$this->schedule_next( $report );
		return $report;
	}

	/** Tells whether a drain would have work now. It costs one read of an index. */
	public function is_due(): bool {
		$next = $this->next_due();
		return null !== $next && $next <= $this->clock->now() && '' === $this->stop_reason( false );
	}

	/**
	 * Returns the seconds until the next unsent order is due. Null: none is unsent, or the drain waits for the service or a person. The
	 * answers of sent orders come by event, so they need no call.
	 */
	public function seconds_until_unsent(): ?int {
		$due = '' === $this->stop_reason( false ) ? $this->outbox->next_due( true ) : null;
		return null === $due ? null : max( 0, $due - $this->clock->now() );
	}

	/** Returns when the next order or user change is due, in unix seconds, or null when none is live. */
	private function next_due(): ?int {
		$times = array_filter( array( $this->outbox->next_due(), $this->user_change_sender->next_due() ), 'is_int' );
		return array() === $times ? null : min( $times );
	}

	private function stop_reason( bool $forced ): string {
		if ( null === $this->copy_guard->usable() ) {
			return 'not_connected';
		}
		if ( $forced ) {
			return '';
		}
		if ( $this->pause->holds() ) {
			return 'paused';
		}
		return 0 < $this->breaker->open_until() ? 'breaker' : '';
	}

	private function schedule_next( DrainReport $report ): void {
		if ( null === $report->next_due || 'not_connected' === $report->stopped_by || 'table' === $report->stopped_by ) {
			return;
		}
		$not_before = max( $this->clock->now(), $this->breaker->open_until() );
		if ( $this->pause->holds() ) {
			$not_before = $this->pause->retry_at();
		}
		$this->drain_timer->at( max( $report->next_due, $not_before ) );
	}
}
