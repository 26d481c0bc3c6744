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
 *
 * WordPress stores "Tom & Jerry" as "Tom &amp; Jerry" with each save of the user, and WC_Customer does not. So names are written as
 * WordPress stores them, and compared as they are shown.
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
		return self::different( $item->user_id, $item->names );
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
		return array_keys( self::different( $user_id, $names ) );
	}

	/**
	 * @param array<string, string> $names Names of the till.
	 * @return array<string, string> Those that the shop shows differently.
	 */
	private static function different( int $user_id, array $names ): array {
		return array_filter(
			$names,
			static fn( string $text, string $name ) => self::shown( (string) get_user_meta( $user_id, self::META[ $name ], true ) ) !== self::shown( self::stored( $user_id, $name, $text ) ),
			ARRAY_FILTER_USE_BOTH
		);
	}

	/** Returns the text as wp_update_user() stores it. A text of which nothing would stay is not changed. */
	private static function stored( int $user_id, string $name, string $text ): string {
		if ( 'phone' === $name ) {
			return $text;
		}
		$stored = wp_unslash( sanitize_user_field( self::META[ $name ], wp_slash( $text ), $user_id, 'db' ) );
		return is_string( $stored ) && '' !== $stored ? $stored : $text;
	}

	/** Returns the text as esc_html() shows it to a person. */
	private static function shown( string $text ): string {
		return html_entity_decode( $text, ENT_QUOTES | ENT_HTML5, 'UTF-8' );
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
			foreach ( $names as $name => $given ) {
				$text = self::stored( $user_id, $name, $given );
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
