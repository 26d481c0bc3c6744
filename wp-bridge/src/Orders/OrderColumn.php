<?php
/**
 * The column of the order lists.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Rest\AdminGate;

/**
 * Adds the column "Till customer" to the order list, by the hooks of HPOS and of the classic list. An order without an answer costs one
 * indexed read.
 */
final class OrderColumn {

	private const COLUMN = 'tillsync';

	public function __construct( private readonly Answers $answers, private readonly Outbox $outbox ) {}

	/**
	 * On a phone the list shows only its first column, and the classic list cannot unfold the others. So the first column shows the value
	 * there.
	 */
	public static function style(): void {
		$screen = get_current_screen();
		if ( null !== $screen && in_array( $screen->id, array( 'edit-shop_order', 'woocommerce_page_wc-orders' ), true ) ) {
			wp_add_inline_style( 'list-tables', '.tillsync-narrow { display: none; } @media screen and (max-width: 782px) { tr:not(.is-expanded) .tillsync-narrow { display: block; } }' );
		}
	}

	/**
	 * @param mixed $columns Columns of the list.
	 * @return mixed
	 */
	public function with_column( $columns = array() ) {
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
	 * @param mixed $column Name of the column.
	 * @param mixed $thing  An order (HPOS) or an order id.
	 */
	public function show_in_first( $column = '', $thing = null ): void {
		if ( 'order_number' === $column ) {
			echo '<div class="tillsync-narrow">' . esc_html__( 'Till customer', 'tillsync-bridge' ) . ': ';
			$this->show( self::COLUMN, $thing );
			echo '</div>';
		}
	}

	/**
	 * @param mixed $column Name of the column.
	 * @param mixed $thing  An order (HPOS) or an order id.
	 */
	public function show( $column = '', $thing = null ): void {
		if ( self::COLUMN !== $column ) {
			return;
		}
		$order = is_object( $thing ) ? $thing : wc_get_order( (int) $thing );
		if ( ! is_object( $order ) || ! OrderFacts::is_order( $order ) ) {
			return;
		}
		$answer = $this->answers->of( $order );
		if ( null !== $answer ) {
			$number = '0' === $answer->epos_customer_id || '' === $answer->epos_customer_id ? '' : ' ' . $answer->epos_customer_id;
			printf( '<span title="%s">%s</span>', esc_attr( $answer->comment ), esc_html( AnswerTexts::state( $answer->state ) . $number ) );
			return;
		}
		$row = $this->outbox->find( $order->get_id() );
		if ( null !== $row ) {
			printf( '<span title="%s">%s</span>', esc_attr( $row->reason ), esc_html( AnswerTexts::row( $row->state ) ) );
			return;
		}
		printf( '<span aria-hidden="true">–</span><span class="screen-reader-text">%s</span>', esc_html__( 'Not sent to the service', 'tillsync-bridge' ) );
	}
}
