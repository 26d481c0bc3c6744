<?php
/**
 * Empties the outbox.
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
 * Tells changes of users, then sends what waits and asks for answers of what was sent, until nothing is due. Any number may run at once
 * (Action Scheduler, cron, the command line): rows are claimed. Its last act is to look when the next row is due and to schedule itself for
 * then, because Action Scheduler would refuse a kick while the action runs.
 */
class Drain {

	private const SEND_LIMIT = 100;
	private const POLL_LIMIT = 200;

	/** Longer than a drain and its last call. */
	private const CLAIM_SECONDS = 120;

	/** By the drain, and by our own callbacks of the hooks it fires. */
	private const NEEDED = array(
		Answer::class, AnswerRecorder::class, Answers::class, AnswerTexts::class, CallOutcome::class, DrainLimits::class, DrainReport::class, DrainTimer::class,
		OrderFacts::class, OrderText::class, Outbox::class, OutboxPause::class, OutboxRow::class, Poller::class, SilentQueries::class, RowDelay::class, Sender::class,
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
		// An update of the plugin in mid-drain replaces the files: whatever this process still needs is loaded now.
		array_map( 'class_exists', self::NEEDED );
	}

	/**
	 * One drain.
	 *
	 * @param DrainLimits|null $limits  Default: 20 s and 60 % of the memory limit.
	 * @param bool             $forced  Somebody asks for it: neither an open breaker nor a pause keeps it from trying.
	 */
	public function run( ?DrainLimits $limits = null, bool $forced = false ): DrainReport {
		$limits = $limits ?? new DrainLimits( $this->clock );
		$report = new DrainReport();
		$report->stopped_by = $this->hindrance( $forced );
		// Before the orders: who is gone is known when the next order of the same person comes.
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
				// Somebody took the table away, or the database is read-only. It is made again where that can be.
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

	/** One order, now, because somebody asks for it: sent when it waits, asked for when it was sent. A row in other hands is left alone. */
	public function run_one( int $order_id ): DrainReport {
		$limits             = new DrainLimits( $this->clock );
		$report             = new DrainReport();
		$report->stopped_by = $this->hindrance( true );
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

	/** Whether a drain would have something to do now: one read of an index. */
	public function is_due(): bool {
		$next = $this->next_due();
		return null !== $next && $next <= $this->clock->now() && '' === $this->hindrance( false );
	}

	/** Of orders and of changes of users, in unix seconds; null: nothing is live. */
	private function next_due(): ?int {
		$times = array_filter( array( $this->outbox->next_due(), $this->user_change_sender->next_due() ), 'is_int' );
		return array() === $times ? null : min( $times );
	}

	private function hindrance( bool $forced ): string {
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
