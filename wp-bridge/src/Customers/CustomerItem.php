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

/** New values for a shop customer, or the removal of the stored values. */
final class CustomerItem {

	public const NO_VALUE = '0';

	/** Points or credit that the service does not know and that were never stored. */
	public const UNKNOWN = '';

	private const VALUES = array( 'points', 'credit', 'type_id', 'as_of', 'first_name', 'last_name', 'phone' );

	/** Texts that WC_Validation::is_phone accepts, and the empty text, which clears the phone. */
	private const PHONE = '/^[\s#0-9_\-+\/().]*$/D';

	/** @param array<string, string> $names The given ones of first_name, last_name and phone. */
	public function __construct(
		public readonly int $user_id,
		public readonly int $version,
		public readonly bool $removed,
		public readonly string $points = self::NO_VALUE,
		public readonly string $credit = self::NO_VALUE,
		/** Null for no type. */
		public readonly ?int $type_id = null,
		/** Unix seconds of the till read that brought these values. */
		public readonly int $as_of = 0,
		public readonly array $names = array(),
		/** Fields that the service does not know of this customer: points, credit, type_id. Their stored values stay. */
		public readonly array $omitted = array(),
		/** Registration time of the customer in unix seconds; null where the service does not give it. */
		public readonly ?int $registered = null,
		/** Latest possible registration time of the customer; null where the service does not give it. */
		public readonly ?int $registered_before = null,
		/** Till customer of the values; null where the service does not give it. */
		public readonly ?int $epos_customer_id = null
	) {}

	/**
	 * @param mixed $raw The decoded item.
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
			$fields->has( 'registered_before' ) ? $fields->time( 'registered_before' ) : null,
			$fields->has( 'epos_customer_id' ) ? $fields->int64( 'epos_customer_id' ) : null
		);
	}

	/**
	 * Tells whether the user with this id is the person whom the service means. A removal is for any user.
	 *
	 * @param int $registered Registration time of the user.
	 */
	public function is_for_person( int $registered ): bool {
		if ( $this->removed || RegistrationTime::UNKNOWN === $registered ) {
			return true;
		}
		// invariant: values-never-reach-another-person
		return ( null === $this->registered || $this->registered === $registered ) && ( null === $this->registered_before || $registered <= $this->registered_before );
	}

	/** Returns the item with stored values in the place of omitted ones. */
	public function with_stored( ?CustomerRow $stored ): self {
		if ( array() === $this->omitted || null === $stored || $stored->removed ) {
			return $this;
		}
		$keeps = fn( string $name, $own ) => in_array( $name, $this->omitted, true ) ? $stored->$name : $own;
		return new self( $this->user_id, $this->version, false, $keeps( 'points', $this->points ), $keeps( 'credit', $this->credit ), $keeps( 'type_id', $this->type_id ), $this->as_of, $this->names, epos_customer_id: $this->epos_customer_id );
	}

	/**
	 * Sanitises the names as WooCommerce's own API does, because many themes print them.
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
