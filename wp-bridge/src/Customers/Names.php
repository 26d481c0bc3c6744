<?php
/**
 * Names and phone of customers.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Throwable;
use Tillsync\Bridge\Log;
use WC_Customer;

/**
 * Written through WC_Customer, so that plugins that keep addresses elsewhere hear of it; and only when they differ, because one save
 * takes 16 ms and fires hooks. The account's names and the billing phone: the billing names are the shopper's own.
 */
class Names {

	private const META = array( 'first_name' => 'first_name', 'last_name' => 'last_name', 'phone' => 'billing_phone' );

	public function __construct( private readonly Log $log ) {}

	/**
	 * Reads what differing() needs, in one query.
	 *
	 * @param int[] $user_ids Customers.
	 */
	public function prime( array $user_ids ): void {
		if ( array() !== $user_ids ) {
			update_meta_cache( 'user', $user_ids );
		}
	}

	/**
	 * Those of the item's names that the customer does not have.
	 *
	 * @return array<string, string>
	 */
	public function differing( CustomerItem $item ): array {
		return array_filter(
			$item->names,
			static fn( string $wanted, string $name ) => (string) get_user_meta( $item->user_id, self::META[ $name ], true ) !== $wanted,
			ARRAY_FILTER_USE_BOTH
		);
	}

	/**
	 * Those of the names just written that the database does not have: a table whose characters have three bytes takes no emoji, wpdb
	 * writes nothing then, and WooCommerce says that it saved.
	 *
	 * @param array<string, string> $names Of differing().
	 * @return string[] Fields.
	 */
	public function not_kept( int $user_id, array $names ): array {
		wp_cache_delete( $user_id, 'user_meta' );
		return array_keys(
			array_filter(
				$names,
				static fn( string $wanted, string $name ) => (string) get_user_meta( $user_id, self::META[ $name ], true ) !== $wanted,
				ARRAY_FILTER_USE_BOTH
			)
		);
	}

	/**
	 * @param array<string, string> $names Of differing().
	 * @return string|null The field that was refused; null: written.
	 */
	public function write( int $user_id, array $names ): ?string {
		$name = (string) array_key_first( $names );
		try {
			$customer = new WC_Customer( $user_id );
			if ( $customer->get_id() !== $user_id ) {
				return $name;
			}
			foreach ( $names as $name => $text ) {
				match ( $name ) {
					'first_name' => $customer->set_first_name( $text ),
					'last_name'  => $customer->set_last_name( $text ),
					'phone'      => $customer->set_billing_phone( $text ),
				};
			}
			$customer->save();
			return null;
		} catch ( Throwable $error ) {
			// WooCommerce, or a plugin that listens, does not take it: the next batch would meet the same.
			$this->log->failure( "writing names of customer {$user_id}", $error );
			return $name;
		}
	}
}
