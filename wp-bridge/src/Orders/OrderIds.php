<?php
/**
 * Ids of the shop's orders.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Automattic\WooCommerce\Utilities\OrderUtil;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;

// phpcs:disable WordPress.DB.PreparedSQL -- every value is prepared; table and column names are of this class.

/**
 * Reads pages of ids of orders in a chosen status, from the order store in use. A page begins behind an id, so orders that leave or enter
 * a chosen status between two pages move no other order. wc_get_orders() has only offsets, and loads whole orders.
 */
class OrderIds {

	public function __construct( private readonly \wpdb $wpdb, private readonly Database $database ) {}

	/**
	 * Returns orders that were changed since a time, and created, paid or completed since another, newest id first. A change of status is a
	 * change.
	 *
	 * @param int $changed Unix seconds.
	 * @param int $new     Unix seconds.
	 * @param int $below   Ids of this page are lower. PHP_INT_MAX: from the newest order on.
	 * @param int $above   Ids of this page are higher.
	 * @return int[] At most $limit.
	 * @throws DatabaseError
	 */
	public function changed_since( int $changed, int $new, int $below, int $above, int $limit ): array {
		$changed_at = self::gmt( $changed );
		$new_at     = self::gmt( $new );
		if ( self::has_tables() ) {
			return $this->read(
				"SELECT o.id FROM {$this->wpdb->prefix}wc_orders o WHERE o.type = 'shop_order' AND o.status IN (%STATUSES%) AND o.date_updated_gmt >= %s AND o.id < %d AND o.id > %d
				AND (o.date_created_gmt >= %s OR EXISTS (SELECT 1 FROM {$this->wpdb->prefix}wc_order_operational_data d WHERE d.order_id = o.id AND (d.date_paid_gmt >= %s OR d.date_completed_gmt >= %s)))
				ORDER BY o.id DESC LIMIT %d",
				array( $changed_at, $below, $above, $new_at, $new_at, $new_at, $limit )
			);
		}
		return $this->read(
			"SELECT o.ID AS id FROM {$this->wpdb->posts} o WHERE o.post_type = 'shop_order' AND o.post_status IN (%STATUSES%) AND o.post_modified_gmt >= %s AND o.ID < %d AND o.ID > %d
			AND (o.post_date_gmt >= %s OR EXISTS (SELECT 1 FROM {$this->wpdb->postmeta} m WHERE m.post_id = o.ID AND m.meta_key IN ('_date_paid', '_date_completed') AND CAST(m.meta_value AS SIGNED) >= %d))
			ORDER BY o.ID DESC LIMIT %d",
			array( $changed_at, $below, $above, $new_at, $new, $limit )
		);
	}

	/**
	 * Returns orders that were created in a time, oldest id first.
	 *
	 * @param int $since Unix seconds.
	 * @param int $until Unix seconds.
	 * @param int $above Ids of this page are higher. 0: from the oldest order on.
	 * @return int[] At most $limit.
	 * @throws DatabaseError
	 */
	public function created_between( int $since, int $until, int $above, int $limit ): array {
		$values = array( self::gmt( $since ), self::gmt( $until ), $above, $limit );
		return self::has_tables()
			? $this->read( "SELECT id FROM {$this->wpdb->prefix}wc_orders WHERE type = 'shop_order' AND status IN (%STATUSES%) AND date_created_gmt >= %s AND date_created_gmt <= %s AND id > %d ORDER BY id LIMIT %d", $values )
			: $this->read( "SELECT ID AS id FROM {$this->wpdb->posts} WHERE post_type = 'shop_order' AND post_status IN (%STATUSES%) AND post_date_gmt >= %s AND post_date_gmt <= %s AND ID > %d ORDER BY ID LIMIT %d", $values );
	}

	private static function has_tables(): bool {
		return OrderUtil::custom_orders_table_usage_is_enabled();
	}

	private static function gmt( int $time ): string {
		return gmdate( 'Y-m-d H:i:s', $time );
	}

	/**
	 * @param string                 $sql    The statement, with %STATUSES% for the chosen statuses.
	 * @param array<int, int|string> $values Values of the other placeholders.
	 * @return int[]
	 * @throws DatabaseError
	 */
	private function read( string $sql, array $values ): array {
		$statuses = array_map( static fn( string $status ) => 'wc-' . $status, ChosenStatuses::get() );
		if ( array() === $statuses ) {
			return array();
		}
		$sql = str_replace( '%STATUSES%', implode( ',', array_fill( 0, count( $statuses ), '%s' ) ), $sql );
		return array_map( static fn( array $row ) => (int) $row['id'], $this->database->rows( $sql, array_merge( $statuses, $values ) ) );
	}
}
