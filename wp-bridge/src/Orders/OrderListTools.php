<?php
/**
 * Filter, bulk action and preview of the order lists.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Rest\AdminGate;

/** Adds a filter by the order's state at the till, the bulk action "Match again", and a line in WooCommerce's preview of an order. */
final class OrderListTools {

	/** Query parameter of the filter. */
	public const FILTER = 'tillsync_state';

	/** Query parameter with the number of orders that a bulk action has queued. */
	public const COUNT = 'tillsync_matched';

	public function __construct(
		private readonly OrderListRows $rows,
		private readonly Answers $answers,
		private readonly Outbox $outbox,
		private readonly DrainTimer $drain_timer,
		private readonly ConnectionStore $connections
	) {}

	/**
	 * Prints the filter beside WooCommerce's own.
	 *
	 * @param mixed $type  Order type (HPOS) or post type.
	 * @param mixed $which "top" or "bottom".
	 */
	public function print_filter( $type = '', $which = 'top' ): void {
		if ( 'shop_order' !== $type || 'top' !== $which || ! current_user_can( AdminGate::CAPABILITY ) ) {
			return;
		}
		printf(
			'<label class="screen-reader-text" for="tillsync-state">%s</label><select name="%s" id="tillsync-state"><option value="">%s</option>',
			esc_html__( 'Filter by till customer', 'tillsync-bridge' ),
			esc_attr( self::FILTER ),
			esc_html__( 'All till states', 'tillsync-bridge' )
		);
		foreach ( OrderListRows::filters() as $name ) {
			printf( '<option value="%s"%s>%s</option>', esc_attr( $name ), selected( self::chosen(), $name, false ), esc_html( self::label( $name ) ) );
		}
		echo '</select>';
	}

	/**
	 * Limits the list of HPOS.
	 *
	 * @param mixed $query Arguments of wc_get_orders().
	 * @return mixed
	 */
	public function limit_orders( $query = array() ) {
		return is_array( $query ) ? $this->limited( $query ) : $query;
	}

	/**
	 * Limits the classic list.
	 *
	 * @param mixed $query Query variables of WordPress.
	 * @return mixed
	 */
	public function limit_posts( $query = array() ) {
		return is_array( $query ) && 'shop_order' === ( $query['post_type'] ?? '' ) ? $this->limited( $query ) : $query;
	}

	/**
	 * @param mixed $actions Bulk actions by name.
	 * @return mixed
	 */
	public function with_bulk_action( $actions = array() ) {
		$offered = is_array( $actions ) && current_user_can( AdminGate::CAPABILITY ) && $this->connections->is_connected();
		return $offered ? $actions + array( OrderActions::ACTION => __( 'Match again with the till', 'tillsync-bridge' ) ) : $actions;
	}

	/**
	 * Makes the chosen orders due. WordPress and WooCommerce have checked the nonce of their lists.
	 *
	 * @param mixed $to     Address of the redirect.
	 * @param mixed $action The chosen action.
	 * @param mixed $orders Ids of the chosen orders.
	 * @return mixed
	 */
	public function bulk( $to = '', $action = '', $orders = array() ) {
		if ( OrderActions::ACTION !== $action || ! is_array( $orders ) || ! current_user_can( AdminGate::CAPABILITY ) || ! $this->connections->is_connected() ) {
			return $to;
		}
		$number = 0;
		foreach ( array_map( 'absint', $orders ) as $order_id ) {
			$order = wc_get_order( $order_id );
			if ( is_object( $order ) && OrderFacts::is_order( $order ) && $this->outbox->request_match( $order_id ) ) {
				++$number;
			}
		}
		if ( 0 < $number ) {
			$this->drain_timer->now();
		}
		return add_query_arg( self::COUNT, $number, (string) $to );
	}

	/** Tells the result of the bulk action. */
	public function show_notice(): void {
		if ( ! current_user_can( AdminGate::CAPABILITY ) ) {
			return;
		}
		$number = absint( $_GET[ self::COUNT ] ?? 0 ); // phpcs:ignore WordPress.Security.NonceVerification.Recommended -- only a number to show.
		/* translators: %s: number of orders */
		$text = sprintf( _n( '%s order is matched again with the till in the background.', '%s orders are matched again with the till in the background.', $number, 'tillsync-bridge' ), number_format_i18n( $number ) );
		printf( '<div class="notice notice-success is-dismissible"><p>%s</p></div>', esc_html( $text ) );
	}

	/**
	 * Adds the order's state to the data of WooCommerce's preview.
	 *
	 * @param mixed $details Data of the preview.
	 * @param mixed $order   The order.
	 * @return mixed
	 */
	public function with_preview( $details = array(), $order = null ) {
		if ( ! is_array( $details ) || ! is_object( $order ) || ! OrderFacts::is_order( $order ) || ! current_user_can( AdminGate::CAPABILITY ) ) {
			return $details;
		}
		$answer  = $this->answers->of( $order );
		$comment = null === $answer ? '' : $answer->comment;
		$details['tillsync'] = OrderColumn::cell( $order, $answer, $this->rows->of( $order->get_id() ) ) . ( '' === $comment ? '' : '<p>' . esc_html( $comment ) . '</p>' );
		return $details;
	}

	/** Prints the part of the preview's template. */
	public static function print_preview(): void {
		printf( '<# if ( data.tillsync ) { #><div class="wc-order-preview-addresses"><div class="wc-order-preview-note"><h2>%s</h2>{{{ data.tillsync }}}</div></div><# } #>', esc_html__( 'Till customer', 'tillsync-bridge' ) );
	}

	/**
	 * @param array<string, mixed> $query Arguments of a query.
	 * @return array<string, mixed>
	 */
	private function limited( array $query ): array {
		if ( '' === self::chosen() || ! current_user_can( AdminGate::CAPABILITY ) ) {
			return $query;
		}
		$found             = $this->rows->filtered( self::chosen() );
		$query['post__in'] = array() === $found ? array( 0 ) : $found;
		return $query;
	}

	/** Returns the name of the chosen filter, or an empty text. */
	private static function chosen(): string {
		$given = sanitize_key( wp_unslash( $_GET[ self::FILTER ] ?? '' ) ); // phpcs:ignore WordPress.Security.NonceVerification.Recommended, WordPress.Security.ValidatedSanitizedInput.InputNotSanitized -- a filter of a list changes nothing.
		return in_array( $given, OrderListRows::filters(), true ) ? $given : '';
	}

	private static function label( string $name ): string {
		switch ( $name ) {
			case 'held':
				return AnswerTexts::state( Answer::HELD );
			case 'failed':
				return AnswerTexts::row( OutboxRow::FAILED );
			default:
				return AnswerTexts::row( OutboxRow::WAITING );
		}
	}
}
