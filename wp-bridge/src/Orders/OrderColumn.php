<?php
/**
 * The column of both order lists.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Services;

/** "Till customer" in the list of orders, by HPOS's hooks and the classic ones. Costs one indexed read for an order without an answer. */
final class OrderColumn implements Part {

	private const COLUMN = 'tillsync';

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		$add  = Guarded::filter( $this->services, 'order column', fn( $columns = array() ) => $this->with_column( $columns ) );
		$show = Guarded::action( $this->services, 'order column', fn( $column = '', $thing = null ) => $this->show( $column, $thing ) );
		$narrow = Guarded::action( $this->services, 'order column', fn( $column = '', $thing = null ) => $this->show_in_first( $column, $thing ) );
		add_filter( 'manage_edit-shop_order_columns', $add, 20 );
		add_action( 'manage_shop_order_posts_custom_column', $show, 10, 2 );
		add_action( 'manage_shop_order_posts_custom_column', $narrow, 20, 2 );
		add_filter( 'manage_woocommerce_page_wc-orders_columns', $add, 20 );
		add_action( 'manage_woocommerce_page_wc-orders_custom_column', $show, 10, 2 );
		add_action( 'manage_woocommerce_page_wc-orders_custom_column', $narrow, 20, 2 );
		add_action( 'admin_enqueue_scripts', Guarded::action( $this->services, 'order column style', static fn() => self::style() ) );
	}

	/** On a phone the list shows its first column only, and orders as posts have nothing that unfolds the others: there it stands in the first. */
	private static function style(): void {
		$screen = get_current_screen();
		if ( null !== $screen && in_array( $screen->id, array( 'edit-shop_order', 'woocommerce_page_wc-orders' ), true ) ) {
			wp_add_inline_style( 'list-tables', '.tillsync-narrow { display: none; } @media screen and (max-width: 782px) { tr:not(.is-expanded) .tillsync-narrow { display: block; } }' );
		}
	}

	/**
	 * @param mixed $columns As known so far.
	 * @return mixed
	 */
	private function with_column( $columns ) {
		if ( ! is_array( $columns ) || ! current_user_can( AdminGate::CAPABILITY ) ) {
			return $columns;
		}
		$with = array();
		foreach ( $columns as $name => $title ) {
			$with[ $name ] = $title;
			if ( 'order_status' === $name ) {
				$with[ self::COLUMN ] = __( 'Till customer', 'tillsync-bridge' );
			}
		}
		return $with + array( self::COLUMN => __( 'Till customer', 'tillsync-bridge' ) );
	}

	/**
	 * @param mixed $column Its name.
	 * @param mixed $thing  An order (HPOS) or an order id.
	 */
	private function show_in_first( $column, $thing ): void {
		if ( 'order_number' === $column ) {
			echo '<div class="tillsync-narrow">' . esc_html__( 'Till customer', 'tillsync-bridge' ) . ': ';
			$this->show( self::COLUMN, $thing );
			echo '</div>';
		}
	}

	/**
	 * @param mixed $column Its name.
	 * @param mixed $thing  An order (HPOS) or an order id.
	 */
	private function show( $column, $thing ): void {
		if ( self::COLUMN !== $column ) {
			return;
		}
		$order = is_object( $thing ) ? $thing : wc_get_order( (int) $thing );
		if ( ! is_object( $order ) || ! OrderFacts::is_order( $order ) ) {
			return;
		}
		$answer = $this->services->get( Answers::class )->of( $order );
		if ( null !== $answer ) {
			$number = '0' === $answer->epos_customer_id || '' === $answer->epos_customer_id ? '' : ' ' . $answer->epos_customer_id;
			printf( '<span title="%s">%s</span>', esc_attr( $answer->comment ), esc_html( AnswerWords::state( $answer->state ) . $number ) );
			return;
		}
		$row = $this->services->outbox()->find( $order->get_id() );
		if ( null !== $row ) {
			printf( '<span title="%s">%s</span>', esc_attr( $row->reason ), esc_html( AnswerWords::row( $row->state ) ) );
			return;
		}
		printf( '<span aria-hidden="true">–</span><span class="screen-reader-text">%s</span>', esc_html__( 'Not sent to the service', 'tillsync-bridge' ) );
	}
}
