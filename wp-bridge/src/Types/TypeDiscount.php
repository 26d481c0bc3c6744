<?php
/**
 * The discount of a customer's type, for whoever wants it.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Tillsync\Bridge\Customers\CustomerTable;

/**
 * Answers the filter `tillsync_customer_type_discount`:
 *
 *     $percent = apply_filters( 'tillsync_customer_type_discount', '0', $user_id );
 *
 * The second argument is a shop customer; the answer a decimal as text ("10", "7.5"), as the till serves it, or what was passed in where
 * the customer has no type, or one that is not known. This plugin applies it to no price.
 */
final class TypeDiscount {

	/** @var array<string, string|null> Of this request, by site and user: prices are asked for many times in one page. */
	private array $known = array();

	public function __construct( private readonly CustomerTable $customers, private readonly TypeTable $types ) {}

	/**
	 * @param mixed $discount As known so far.
	 * @param mixed $user_id  Should be an int.
	 * @return mixed
	 */
	public function discount( $discount = '0', $user_id = 0 ) {
		return $this->of( $user_id ) ?? $discount;
	}

	/** @param mixed $user_id Should be an int. */
	private function of( $user_id ): ?string {
		if ( ! is_numeric( $user_id ) || 1 > (int) $user_id ) {
			return null;
		}
		$key = get_current_blog_id() . ':' . (int) $user_id;
		if ( ! array_key_exists( $key, $this->known ) ) {
			$row                 = $this->customers->find( (int) $user_id );
			$type                = null === $row || null === $row->type_id ? null : $this->types->read( $row->type_id );
			$this->known[ $key ] = null === $type || $type->removed ? null : $type->discount;
		}
		return $this->known[ $key ];
	}
}
