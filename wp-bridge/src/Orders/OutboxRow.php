<?php
/**
 * One row of the outbox.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/** As read; changes go through Outbox. Times are unix seconds. */
final class OutboxRow {

	/** Has not left the shop, or is to be sent again. */
	public const WAITING = 'waiting';
	/** The service has it and has not come to an end with it. */
	public const SENT = 'sent';
	/** The service came to an end with it. */
	public const DONE = 'done';
	/** The service refused it, or gave up. */
	public const FAILED = 'failed';
	/** Ended before it was sent; `reason` says why. */
	public const CLOSED = 'closed';

	public function __construct(
		public readonly int $order_id,
		public readonly string $state,
		public readonly int $created_at,
		public readonly int $due_at,
		public readonly int $revision,
		/** Whether the service is to decide again even when it has decided. */
		public readonly bool $rerun,
		/** Tries since the last change for the better: sends while waiting, polls while sent. */
		public readonly int $attempts,
		public readonly string $claim_token,
		public readonly int $claim_until,
		public readonly string $facts_hash,
		public readonly string $entry_id,
		/** The entry's state at the service, such as "ENTRY_STATE_HELD"; empty: never sent. */
		public readonly string $entry_state,
		public readonly string $outcome,
		/** Why it waits, failed or was closed: one sentence for people. */
		public readonly string $reason,
		public readonly int $sent_at,
		public readonly int $updated_at
	) {}

	/** @param array<string, mixed> $row Of the table; numbers may be texts. */
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
