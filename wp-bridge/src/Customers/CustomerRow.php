<?php
/**
 * A row of the customer table.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

/** Holds the values of a shop customer from the till. A removed row is a tombstone: it has a version and no values to show. */
final class CustomerRow {

	public function __construct(
		public readonly int $user_id,
		public readonly int $version,
		public readonly bool $removed,
		/** A decimal as the till gives it: "120", "12.5". */
		public readonly string $points,
		/** A decimal with the till's own sign. */
		public readonly string $credit,
		public readonly ?int $type_id,
		/** Unix seconds of the till read that brought these values. */
		public readonly int $as_of,
		/** Token of the request that last changed the values. */
		public readonly string $write_token,
		/** Registration time, in unix seconds, of the user to whom the values belong; null in rows from before this column. */
		public readonly ?int $registered,
		/** Unix seconds of the last change of the values. */
		public readonly int $updated_at
	) {}

	/** @param array<string, string|null> $row A row of the table. */
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
			// An older schema does not have this column.
			isset( $row['registered'] ) ? (int) $row['registered'] : null,
			(int) $row['updated_at']
		);
	}

	/**
	 * Tells whether the values belong to the user who has the id now. A row without a registration time belongs to another person if the
	 * user registered more than a day after the values were stored. The day allows for differing clocks.
	 *
	 * @param int $registered Registration time of that user.
	 */
	public function belongs_to( int $registered ): bool {
		if ( RegistrationTime::UNKNOWN === $registered || ( null === $this->registered && 0 === $this->updated_at ) ) {
			return true;
		}
		// invariant: values-are-shown-to-their-person-only
		return null === $this->registered ? $registered <= $this->updated_at + DAY_IN_SECONDS : $registered === $this->registered;
	}

	/** Returns the points to show to a shopper, or null without values or points. */
	public static function shown_points( ?self $row ): ?string {
		return null === $row || CustomerItem::UNKNOWN === $row->points ? null : $row->points;
	}

	/** Tells whether the item equals the row. as_of does not count, because it belongs to the read that brought the values. */
	public function equals_item( CustomerItem $item ): bool {
		return $this->removed === $item->removed && $this->points === $item->points && $this->credit === $item->credit && $this->type_id === $item->type_id;
	}

	/**
	 * Returns the values in the form that hooks get.
	 *
	 * @return array{points: string, credit: string, type_id: int|null, as_of: string, removed: bool}
	 */
	public function values(): array {
		return array( 'points' => $this->points, 'credit' => $this->credit, 'type_id' => $this->type_id, 'as_of' => gmdate( 'Y-m-d\TH:i:s\Z', $this->as_of ), 'removed' => $this->removed );
	}
}
