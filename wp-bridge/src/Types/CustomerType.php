<?php
/**
 * A customer type of the till.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Tillsync\Bridge\Rest\InvalidField;
use Tillsync\Bridge\Rest\WireFields;

/** Holds a type as the service sent it. A removed type is a tombstone: it keeps its version, so that a late older write has no effect. */
final class CustomerType {

	private const NAME_LENGTH        = 255;
	private const DESCRIPTION_LENGTH = 20000;

	public function __construct(
		public readonly int $type_id,
		public readonly int $version,
		public readonly bool $removed = false,
		public readonly string $name = '',
		/** Percent from the till, a decimal as text. The plugin shows it and passes it on, and applies it to no price. */
		public readonly string $discount = '0',
		public readonly string $description = ''
	) {}

	/**
	 * @param array<int|string, mixed> $body The decoded body.
	 * @throws InvalidField
	 */
	public static function of( int $type_id, array $body ): self {
		$fields  = WireFields::of( $body, 'version' );
		$version = $fields->int64( 'version' );
		return new self(
			$type_id,
			$version,
			false,
			mb_substr( sanitize_text_field( $fields->text( 'name' ) ), 0, self::NAME_LENGTH ),
			$fields->decimal( 'discount' ),
			mb_substr( sanitize_textarea_field( $fields->text( 'description' ) ), 0, self::DESCRIPTION_LENGTH )
		);
	}

	/**
	 * @param array<int|string, mixed> $body The decoded body.
	 * @throws InvalidField
	 */
	public static function removal( int $type_id, array $body ): self {
		return new self( $type_id, WireFields::of( $body, 'version' )->int64( 'version' ), true );
	}

	/** @param array<string, string|null> $row A row of the table. */
	public static function from_row( array $row ): self {
		return new self(
			(int) $row['type_id'],
			(int) $row['version'],
			1 === (int) $row['removed'],
			(string) $row['name'],
			(string) $row['discount'],
			(string) $row['description']
		);
	}

	public function equals( self $other ): bool {
		return array( $this->removed, $this->name, $this->discount, $this->description ) === array( $other->removed, $other->name, $other->discount, $other->description );
	}

	/** Returns the type's name for screens, or its number while the name is missing or empty. */
	public static function label( int $type_id, ?self $type ): string {
		if ( null !== $type && '' !== $type->name ) {
			return $type->name;
		}
		/* translators: %d: number of a customer type at the till */
		return sprintf( __( 'Type %d', 'tillsync-bridge' ), $type_id );
	}
}
