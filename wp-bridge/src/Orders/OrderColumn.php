<?php
/**
 * The column of the order lists.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Rest\AdminGate;
use WC_Order;

/**
 * Adds the column "Till customer" to the order list, by the hooks of HPOS and of the classic list. It reads nothing but OrderListRows, and
 * the answers, which WooCommerce has loaded with the orders.
 */
final class OrderColumn {

	private const COLUMN = 'tillsync';

	/** Classes that WooCommerce's list gives the statuses of orders, by the state of the answer. */
	private const COLOURS = array(
		Answer::PROCESSED => 'status-processing',
		Answer::HELD      => 'status-on-hold',
		Answer::FAILED    => 'status-failed',
	);

	public function __construct( private readonly Answers $answers, private readonly OrderListRows $rows ) {}

	/** Tells whether the present screen is a list of orders. */
	public static function is_list(): bool {
		$screen = function_exists( 'get_current_screen' ) ? get_current_screen() : null;
		return null !== $screen && in_array( $screen->id, array( 'edit-shop_order', 'woocommerce_page_wc-orders' ), true );
	}

	/**
	 * On a phone the list shows only its first column, and the classic list cannot unfold the others. So the first column shows the value
	 * there.
	 */
	public static function style(): void {
		if ( self::is_list() ) {
			wp_add_inline_style( 'list-tables', '.tillsync-narrow { display: none; } .tillsync-narrow .order-status, .tillsync-narrow .order-status span { display: inline; float: none; margin: 0; padding: 0; border: 0; background: none; line-height: inherit; } @media screen and (max-width: 782px) { tr:not(.is-expanded) .tillsync-narrow { display: block; } }' );
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
		echo wp_kses_post( self::cell( $order, $this->answers->of( $order ), $this->rows->of( $order->get_id() ) ) );
	}

	/** Returns the HTML of the order's state: the state, the person with the till customer's number, and what a held order needs. */
	public static function cell( WC_Order $order, ?Answer $answer, ?OutboxRow $row ): string {
		if ( null !== $answer && ! self::is_unsent( $row ) ) {
			$title = $answer->comment;
			$label = AnswerTexts::state( $answer->state );
			$state = $answer->state;
		} elseif ( null !== $row ) {
			$title = $row->reason;
			$label = AnswerTexts::row( $row->state );
			$state = OutboxRow::FAILED === $row->state ? Answer::FAILED : '';
		} else {
			return sprintf( '<span aria-hidden="true">–</span><span class="screen-reader-text">%s</span>', esc_html__( 'Not sent to the service', 'tillsync-bridge' ) );
		}
		$html = sprintf( '<mark class="order-status %s" title="%s"><span>%s</span></mark>', esc_attr( self::COLOURS[ $state ] ?? 'status-pending' ), esc_attr( $title ), esc_html( $label ) );
		if ( Answer::HELD === $state ) {
			return $html . sprintf( ' <a class="tillsync-choose" href="%s">%s</a>', esc_url( $order->get_edit_order_url() . '#tillsync-order' ), esc_html__( 'Choose customer', 'tillsync-bridge' ) );
		}
		return $html . self::person( $order, null === $answer ? '' : $answer->epos_customer_id );
	}

	/** Tells whether the order is to be sent, or was refused, after its answer. */
	private static function is_unsent( ?OutboxRow $row ): bool {
		return null !== $row && ( OutboxRow::WAITING === $row->state || ( OutboxRow::FAILED === $row->state && '' === $row->entry_id ) );
	}

	/** Returns the name of the till customer's shopper, with the number at the till. */
	private static function person( WC_Order $order, string $epos_customer_id ): string {
		if ( '' === $epos_customer_id || '0' === $epos_customer_id ) {
			return '';
		}
		$name = trim( $order->get_billing_first_name() . ' ' . $order->get_billing_last_name() );
		$user = $order->get_customer_id();
		if ( $user < 1 || '' === $name ) {
			return ' <span>' . esc_html( $epos_customer_id ) . '</span>';
		}
		return sprintf( ' <a href="%s">%s</a> <span>(%s)</span>', esc_url( add_query_arg( 'user_id', $user, self_admin_url( 'user-edit.php' ) ) . '#tillsync' ), esc_html( $name ), esc_html( $epos_customer_id ) );
	}
}
