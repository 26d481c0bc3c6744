<?php
/**
 * The intake of the answers that events carry.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Events;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Orders\Answer;
use Tillsync\Bridge\Orders\AnswerRecorder;
use Tillsync\Bridge\Orders\DrainReport;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxRow;

/**
 * Stores answers in the request of the service that brings them, so an order does not wait for cron. The rows are due already. A row keeps
 * its due time when another process has claimed it, when the order is to be sent again, or when the time of the request is over. The drain
 * then fetches the answer.
 */
class AnswerIntake {

	/** Time of one request for answers. Hooks of other plugins run when an order gets its answer. */
	private const SECONDS = 3.0;

	/** Longer than the storage of one answer. */
	private const CLAIM_SECONDS = 60;

	public function __construct(
		private readonly AnswerRecorder $answer_recorder,
		private readonly Outbox $outbox,
		private readonly Clock $clock
	) {}

	/**
	 * @param Event[] $events The newest event of each subject.
	 * @return bool Whether the drain has answers or notes to fetch.
	 */
	public function store( array $events ): bool {
		$deadline = $this->clock->monotonic() + self::SECONDS;
		$open     = false;
		foreach ( $events as $event ) {
			$is_complete = $this->clock->monotonic() < $deadline && $this->store_one( $event );
			$open        = $open || ! $is_complete;
		}
		return $open;
	}

	/** Returns whether the order now has its whole answer. */
	private function store_one( Event $event ): bool {
		$order_id = $event->order_id();
		$answer   = $event->answer;
		// The order note of a held or failed order shows the first note, so such an answer is stored with its notes.
		if ( null === $order_id || null === $answer || ( $event->note_count > 0 && Answer::PROCESSED !== $answer->state ) ) {
			return null === $order_id;
		}
		$row = $this->outbox->claim_one( $order_id, self::CLAIM_SECONDS );
		if ( null === $row ) {
			return false;
		}
		// Entry ids are UUIDv7, so a smaller one is of a former entry: the order was sent again while its event was under way.
		if ( OutboxRow::SENT !== $row->state || strcmp( $answer->entry_id, $row->entry_id ) < 0 ) {
			$this->outbox->release( array( $row ) );
			return false;
		}
		$has_notes = $event->note_count > 0;
		$fetch     = $has_notes ? array( 'state' => OutboxRow::SENT, 'due_at' => $this->clock->now(), 'attempts' => 0, 'reason' => '' ) : array();
		$this->answer_recorder->record( $row, $answer, $fetch, new DrainReport() );
		return ! $has_notes;
	}
}
