<?php
/**
 * Outbox rows of a list of orders.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Schema\Tables;


// phpcs:disable WordPress.DB.PreparedSQL -- the plugin's own table; every value is prepared or an int.

/** Reads the outbox rows of all orders of a list page with one statement, however many orders it shows. */
class OrderListRows {

	/** Filters of the list: names in the address, and conditions of the outbox. */
	private const FILTERS = array(
		'held'    => array( "state = 'sent' AND entry_state = %s", Answer::HELD ),
		'failed'  => array( 'state = %s', OutboxRow::FAILED ),
		'waiting' => array( 'state = %s', OutboxRow::WAITING ),
	);

	/** Most orders of a filter. More than that wants the queues page. */
	private const LIMIT = 1000;

	/**
	 * Orders of the page.
	 *
	 * @var array<int, true>
	 */
	private array $order_ids = array();

	/**
	 * Rows read so far; null for an order without a row.
	 *
	 * @var array<int, OutboxRow|null>
	 */
	private array $rows = array();

	public function __construct( private readonly SilentQueries $queries, private readonly Tables $tables ) {}

	/**
	 * Filter of WooCommerce's order queries. It notes the orders of the list and changes nothing.
	 *
	 * @param mixed $results Orders, or an object with orders and their number.
	 * @return mixed
	 */
	public function note_orders( $results = null ) {
		foreach ( is_object( $results ) && is_array( $results->orders ?? null ) ? $results->orders : array() as $order ) {
			if ( is_object( $order ) && OrderFacts::is_order( $order ) ) {
				$this->order_ids[ $order->get_id() ] = true;
			}
		}
		return $results;
	}

	/**
	 * Filter of WordPress's posts, for orders that are posts.
	 *
	 * @param mixed $posts Posts of a query.
	 * @return mixed
	 */
	public function note_posts( $posts = null ) {
		foreach ( is_array( $posts ) ? $posts : array() as $post ) {
			if ( $post instanceof \WP_Post && 'shop_order' === $post->post_type ) {
				$this->order_ids[ $post->ID ] = true;
			}
		}
		return $posts;
	}

	/** Returns the row of an order. The first call reads those of all noted orders. */
	public function of( int $order_id ): ?OutboxRow {
		if ( ! array_key_exists( $order_id, $this->rows ) ) {
			$this->order_ids[ $order_id ] = true;
			$missing                      = array_keys( array_diff_key( $this->order_ids, $this->rows ) );
			$this->rows                  += array_fill_keys( $missing, null );
			$list                         = implode( ',', array_map( 'intval', $missing ) );
			foreach ( $this->queries->rows( "SELECT * FROM {$this->tables->outbox()} WHERE order_id IN ({$list}) AND 1 = %d", array( 1 ) ) ?? array() as $row ) {
				$this->rows[ (int) $row['order_id'] ] = OutboxRow::from_row( $row );
			}
		}
		return $this->rows[ $order_id ];
	}

	/** @return string[] Names of the filters. */
	public static function filters(): array {
		return array_keys( self::FILTERS );
	}

	/**
	 * Returns the newest orders of a filter.
	 *
	 * @return int[]
	 */
	public function filtered( string $filter ): array {
		list( $condition, $value ) = self::FILTERS[ $filter ];
		$rows = $this->queries->rows( "SELECT order_id FROM {$this->tables->outbox()} WHERE {$condition} ORDER BY order_id DESC LIMIT %d", array( $value, self::LIMIT ) );
		return array_map( static fn( array $row ) => (int) $row['order_id'], $rows ?? array() );
	}
}
