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
 * Writes the account's names and the billing phone; the billing names belong to the shopper. It writes through WC_Customer, so that plugins
 * that store addresses elsewhere get the change. It writes only differences, because one save takes 16 ms and fires hooks.
 */
class Names {

	private const META = array( 'first_name' => 'first_name', 'last_name' => 'last_name', 'phone' => 'billing_phone' );

	public function __construct( private readonly Log $log ) {}

	/**
	 * Loads the meta that changed_names() reads, in one query.
	 *
	 * @param int[] $user_ids Ids of customers.
	 */
	public function prime( array $user_ids ): void {
		if ( array() !== $user_ids ) {
			update_meta_cache( 'user', $user_ids );
		}
	}

	/**
	 * Returns the item's names that differ from the customer's.
	 *
	 * @return array<string, string>
	 */
	public function changed_names( CustomerItem $item ): array {
		return array_filter(
			$item->names,
			static fn( string $value, string $name ) => (string) get_user_meta( $item->user_id, self::META[ $name ], true ) !== $value,
			ARRAY_FILTER_USE_BOTH
		);
	}

	/**
	 * Returns the written names that the database did not store. A table with three-byte characters stores no emoji: wpdb then writes
	 * nothing, and WooCommerce reports success.
	 *
	 * @param array<string, string> $names Result of changed_names().
	 * @return string[] Names of fields.
	 */
	public function unsaved( int $user_id, array $names ): array {
		wp_cache_delete( $user_id, 'user_meta' );
		return array_keys(
			array_filter(
				$names,
				static fn( string $value, string $name ) => (string) get_user_meta( $user_id, self::META[ $name ], true ) !== $value,
				ARRAY_FILTER_USE_BOTH
			)
		);
	}

	/**
	 * @param array<string, string> $names Result of changed_names().
	 * @return string|null The refused field; null after a write.
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
			// WooCommerce, or a hook of another plugin, refuses the name. A retry would fail the same way.
			$this->log->failure( "writing names of customer {$user_id}", $error );
			return $name;
		}
	}
}
