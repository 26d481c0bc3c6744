<?php
/**
 * One customer of a batch.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Tillsync\Bridge\Rest\InvalidField;
use Tillsync\Bridge\Rest\WireFields;

/** What the service wants a shop customer to have, or that our values go. */
final class CustomerItem {

	public const NO_VALUE = '0';

	/** Of points or credit that the service does not know and that were never stored. */
	public const UNKNOWN = '';

	private const VALUES = array( 'points', 'credit', 'type_id', 'as_of', 'first_name', 'last_name', 'phone' );

	/** What WC_Validation::is_phone takes, and the empty text, which clears. */
	private const PHONE = '/^[\s#0-9_\-+\/().]*$/D';

	/** @param array<string, string> $names first_name, last_name, phone: those that are given. */
	public function __construct(
		public readonly int $user_id,
		public readonly int $version,
		public readonly bool $removed,
		public readonly string $points = self::NO_VALUE,
		public readonly string $credit = self::NO_VALUE,
		/** Null: no type. */
		public readonly ?int $type_id = null,
		/** When the till was read for these values, in unix seconds. */
		public readonly int $as_of = 0,
		public readonly array $names = array(),
		/** Fields that the service does not know of this customer: points, credit, type_id. What is stored stays. */
		public readonly array $left_out = array(),
		/** The customer is whoever registered at this time; null: not said. */
		public readonly ?int $registered = null,
		/** The customer registered at this time or before; null: not said. */
		public readonly ?int $registered_before = null
	) {}

	/**
	 * @param mixed $raw As decoded.
	 * @throws InvalidField
	 */
	public static function of( $raw ): self {
		$fields  = WireFields::of( $raw, 'user_id' );
		$user_id = $fields->integer( 'user_id', 1 );
		$version = $fields->int64( 'version' );
		if ( $fields->has( 'remove' ) ) {
			$fields->is_true( 'remove' );
			$fields->none_of( self::VALUES );
			return new self( $user_id, $version, true );
		}
		return new self(
			$user_id,
			$version,
			false,
			$fields->has( 'points' ) ? $fields->decimal( 'points' ) : self::UNKNOWN,
			$fields->has( 'credit' ) ? $fields->decimal( 'credit' ) : self::UNKNOWN,
			$fields->has( 'type_id' ) ? $fields->integer_or_null( 'type_id', 1 ) : null,
			$fields->time( 'as_of' ),
			self::names( $fields ),
			array_values( array_filter( array( 'points', 'credit', 'type_id' ), static fn( string $name ) => ! $fields->has( $name ) ) ),
			$fields->has( 'registered' ) ? $fields->time( 'registered' ) : null,
			$fields->has( 'registered_before' ) ? $fields->time( 'registered_before' ) : null
		);
	}

	/**
	 * Whether the user of this number is the one whom the service means. Values may go from anybody.
	 *
	 * @param int $registered When the user registered.
	 */
	public function is_for( int $registered ): bool {
		if ( $this->removed || RegistrationTime::UNKNOWN === $registered ) {
			return true;
		}
		// invariant: values-never-reach-another-person
		return ( null === $this->registered || $this->registered === $registered ) && ( null === $this->registered_before || $registered <= $this->registered_before );
	}

	/** With what is stored in the place of what was left out. */
	public function completed_by( ?CustomerRow $stored ): self {
		if ( array() === $this->left_out || null === $stored || $stored->removed ) {
			return $this;
		}
		$keeps = fn( string $name, $own ) => in_array( $name, $this->left_out, true ) ? $stored->$name : $own;
		return new self( $this->user_id, $this->version, false, $keeps( 'points', $this->points ), $keeps( 'credit', $this->credit ), $keeps( 'type_id', $this->type_id ), $this->as_of, $this->names );
	}

	/**
	 * Cleaned as WooCommerce's own API cleans them: they are printed by many a theme.
	 *
	 * @return array<string, string>
	 * @throws InvalidField
	 */
	private static function names( WireFields $fields ): array {
		$names = array();
		foreach ( array( 'first_name', 'last_name' ) as $name ) {
			if ( $fields->has( $name ) ) {
				$names[ $name ] = sanitize_text_field( $fields->text( $name ) );
			}
		}
		if ( $fields->has( 'phone' ) ) {
			$names['phone'] = sanitize_text_field( $fields->matching( 'phone', self::PHONE ) );
		}
		return $names;
	}
}
