<?php
/**
 * What the till says of a shop customer.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

/** One row of the customer table. A removed one is a tombstone: it has a version and nothing to show. */
final class CustomerRow {

	public function __construct(
		public readonly int $user_id,
		public readonly int $version,
		public readonly bool $removed,
		/** A decimal as the till serves it: "120", "12.5". */
		public readonly string $points,
		/** A decimal with the till's own sign. */
		public readonly string $credit,
		public readonly ?int $type_id,
		/** When the till was read for these values, in unix seconds. */
		public readonly int $as_of,
		/** Which request changed the values last. */
		public readonly string $write_token,
		/** When the user registered to whom these values belong, in unix seconds; null: written before that was kept. */
		public readonly ?int $registered,
		/** When the values were last changed, in unix seconds. */
		public readonly int $updated_at
	) {}

	/** @param array<string, string|null> $row Of the table. */
	public static function from_row( array $row ): self {
		return new self(
			(int) $row['user_id'],
			(int) $row['version'],
			1 === (int) $row['removed'],
			(string) $row['points'],
			(string) $row['credit'],
			null === $row['type_id'] ? null : (int) $row['type_id'],
			(int) $row['as_of'],
			(string) $row['write_token'],
			// A schema that is not yet this plugin's has no such column.
			isset( $row['registered'] ) ? (int) $row['registered'] : null,
			(int) $row['updated_at']
		);
	}

	/**
	 * Whether the values are of the user who has the number now. Where the row does not say whose they are, a user who registered after the
	 * values came (a day is left to clocks) is another one.
	 *
	 * @param int $registered When that user registered.
	 */
	public function is_of( int $registered ): bool {
		if ( RegistrationTime::UNKNOWN === $registered || ( null === $this->registered && 0 === $this->updated_at ) ) {
			return true;
		}
		// invariant: values-are-shown-to-their-person-only
		return null === $this->registered ? $registered <= $this->updated_at + DAY_IN_SECONDS : $registered === $this->registered;
	}

	/** What a shopper is shown: null where nothing of him is known, or no points. */
	public static function shown_points( ?self $row ): ?string {
		return null === $row || CustomerItem::UNKNOWN === $row->points ? null : $row->points;
	}

	/** Whether the item would change nothing. as_of belongs to the read that brought the values, so it does not count. */
	public function says( CustomerItem $item ): bool {
		return $this->removed === $item->removed && $this->points === $item->points && $this->credit === $item->credit && $this->type_id === $item->type_id;
	}

	/**
	 * As hooks get it.
	 *
	 * @return array{points: string, credit: string, type_id: int|null, as_of: string, removed: bool}
	 */
	public function values(): array {
		return array( 'points' => $this->points, 'credit' => $this->credit, 'type_id' => $this->type_id, 'as_of' => gmdate( 'Y-m-d\TH:i:s\Z', $this->as_of ), 'removed' => $this->removed );
	}
}
