<?php
/**
 * The discount of a customer's type.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Tillsync\Bridge\Customers\CustomerTable;

/**
 * Answers the filter `tillsync_customer_type_discount` for other plugins:
 *
 *     $percent = apply_filters( 'tillsync_customer_type_discount', '0', $user_id );
 *
 * The second argument is a shop customer. The result is a decimal as text ("10", "7.5"), as the till gives it. Without a known type the
 * result is the passed value. This plugin applies it to no price.
 */
final class TypeDiscount {

	/** @var array<string, string|null> Results of this request by site and user, because one page asks for many prices. */
	private array $discounts = array();

	public function __construct( private readonly CustomerTable $customers, private readonly TypeTable $types ) {}

	/**
	 * @param mixed $discount The passed value.
	 * @param mixed $user_id  Id of a shop customer.
	 * @return mixed
	 */
	public function discount( $discount = '0', $user_id = 0 ) {
		return $this->of( $user_id ) ?? $discount;
	}

	/** @param mixed $user_id Id of a shop customer. */
	private function of( $user_id ): ?string {
		if ( ! is_numeric( $user_id ) || 1 > (int) $user_id ) {
			return null;
		}
		$key = get_current_blog_id() . ':' . (int) $user_id;
		if ( ! array_key_exists( $key, $this->discounts ) ) {
			$row                     = $this->customers->find( (int) $user_id );
			$type                    = null === $row || null === $row->type_id ? null : $this->types->read( $row->type_id );
			$this->discounts[ $key ] = null === $type || $type->removed ? null : $type->discount;
		}
		return $this->discounts[ $key ];
	}
}
