<?php
/**
 * Storage of an answer in its row and its order.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Throwable;
use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Log;

/**
 * Stores the answer with the order first, and then in the row. A process that stops in between leaves the row due, so the answer is fetched
 * again.
 */
class AnswerRecorder {

	public function __construct(
		private readonly Answers $answers,
		private readonly Outbox $outbox,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/**
	 * @param array<string, int|string> $changes Further columns of the row.
	 */
	public function record( OutboxRow $row, Answer $answer, array $changes, DrainReport $report ): void {
		$now      = $this->clock->now();
		$changes += array( 'entry_id' => $answer->entry_id, 'entry_state' => $answer->state, 'outcome' => $answer->outcome );
		try {
			$this->answers->store( $row->order_id, $answer );
		} catch ( Throwable $error ) {
			$this->log->failure( "storing the answer of order {$row->order_id}", $error );
			/* translators: %s: technical name of an error */
			$reason   = sprintf( __( 'The answer could not be stored with the order (%s): see the log of Tillsync.', 'tillsync-bridge' ), get_class( $error ) );
			$changes += array( 'state' => OutboxRow::SENT, 'due_at' => $now + RowDelay::of_failure( $row->attempts ), 'attempts' => $row->attempts + 1, 'reason' => $reason );
			$this->outbox->record( $row, $changes );
			++$report->postponed;
			return;
		}
		// invariant: rows-end-with-the-final-answer
		if ( $answer->is_final() ) {
			$failed   = Answer::FAILED === $answer->state;
			$changes += array( 'state' => $failed ? OutboxRow::FAILED : OutboxRow::DONE, 'attempts' => 0, 'reason' => $failed ? $answer->comment : '' );
			$failed ? ++$report->failed : ++$report->ended;
		} else {
			// A new state starts with short delays again.
			$polls    = OutboxRow::SENT === $row->state && $row->entry_state === $answer->state ? $row->attempts : 0;
			$delay    = Answer::HELD === $answer->state ? RowDelay::of_held( $polls ) : RowDelay::of_pending( $polls );
			$changes += array( 'state' => OutboxRow::SENT, 'due_at' => $now + $delay, 'attempts' => $polls + 1, 'reason' => Answer::HELD === $answer->state ? $answer->comment : '' );
		}
		$this->outbox->record( $row, $changes );
	}
}
