<?php
/**
 * A row of the outbox.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/** Holds one row as it was read. Outbox writes changes. Times are unix seconds. */
final class OutboxRow {

	/** The service does not have the order, or the order is to be sent again. */
	public const WAITING = 'waiting';
	/** The service has the order, and its entry has not ended. */
	public const SENT = 'sent';
	/** The entry has ended. */
	public const DONE = 'done';
	/** The service refused the order, or its entry failed. */
	public const FAILED = 'failed';
	/** Closed before it was sent; `reason` says why. */
	public const CLOSED = 'closed';

	public function __construct(
		public readonly int $order_id,
		public readonly string $state,
		public readonly int $created_at,
		public readonly int $due_at,
		public readonly int $revision,
		/** Whether the service must match the order again even if it was matched before. */
		public readonly bool $rerun,
		/** Tries since the last success: sends while waiting, polls while sent. */
		public readonly int $attempts,
		public readonly string $claim_token,
		public readonly int $claim_until,
		public readonly string $facts_hash,
		public readonly string $entry_id,
		/** The entry's state at the service, such as "ENTRY_STATE_HELD"; empty when the order was never sent. */
		public readonly string $entry_state,
		public readonly string $outcome,
		/** One sentence for people: why the row waits, failed or was closed. */
		public readonly string $reason,
		public readonly int $sent_at,
		public readonly int $updated_at
	) {}

	/** @param array<string, mixed> $row A row of the table. Its numbers may be texts. */
	public static function from_row( array $row ): self {
		return new self(
			(int) $row['order_id'],
			(string) $row['state'],
			(int) $row['created_at'],
			(int) $row['due_at'],
			(int) $row['revision'],
			1 === (int) $row['rerun'],
			(int) $row['attempts'],
			(string) $row['claim_token'],
			(int) $row['claim_until'],
			(string) $row['facts_hash'],
			(string) $row['entry_id'],
			(string) $row['entry_state'],
			(string) $row['outcome'],
			(string) $row['reason'],
			(int) $row['sent_at'],
			(int) $row['updated_at']
		);
	}
}
