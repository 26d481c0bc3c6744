<?php
/**
 * The panel of the order screen.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Screens\SharedScript;
use WC_Order;

/** Shows the stored answer and the outbox row. It calls the service only when a person presses a button. */
final class OrderPanel {

	private const SCRIPT = 'tillsync-bridge-order';

	public function __construct(
		private readonly Answers $answers,
		private readonly ConnectionStore $connections,
		private readonly Outbox $outbox,
		private readonly Log $log
	) {}

	/** Returns the ids of the order screens of HPOS and of the classic editor. */
	private static function screens(): array {
		return array_unique( array( function_exists( 'wc_get_page_screen_id' ) ? wc_get_page_screen_id( 'shop-order' ) : 'shop_order', 'shop_order' ) );
	}

	public function add_box(): void {
		if ( ! current_user_can( AdminGate::CAPABILITY ) ) {
			return;
		}
		foreach ( self::screens() as $screen ) {
			add_meta_box( 'tillsync-order', __( 'Till customer', 'tillsync-bridge' ), fn( $thing = null ) => SafeCall::run( $this->log, 'order panel', fn() => $this->show( $thing ) ), $screen, 'side', 'core' );
		}
	}

	/** @param mixed $thing An order (HPOS) or a post. */
	private function show( $thing ): void {
		$order = $thing instanceof \WP_Post ? wc_get_order( $thing->ID ) : $thing;
		if ( ! is_object( $order ) || ! OrderFacts::is_order( $order ) ) {
			return;
		}
		$this->enqueue();
		printf( '<div class="tillsync-panel" data-order="%d" aria-live="polite">', absint( $order->get_id() ) );
		echo wp_kses_post( $this->html( $order ) );
		echo '</div>';
		if ( ! $this->connections->is_connected() ) {
			return;
		}
		// The script replaces the panel's HTML. The buttons are outside of it, so they keep the focus.
		printf(
			'<p class="tillsync-panel-buttons"><button type="button" class="button tillsync-match">%s</button> <button type="button" class="button-link tillsync-wrong" aria-expanded="false" aria-controls="tillsync-wrong-%d">%s</button></p><div class="tillsync-wrong-box" id="tillsync-wrong-%d" hidden></div>',
			esc_html__( 'Match again', 'tillsync-bridge' ),
			absint( $order->get_id() ),
			esc_html__( 'Wrong customer?', 'tillsync-bridge' ),
			absint( $order->get_id() )
		);
	}

	/** Returns the replaceable part: the state of the order. */
	public function html( WC_Order $order ): string {
		$answer = $this->answers->of( $order );
		$row    = $this->outbox->find( $order->get_id() );
		$lines  = array();
		if ( null !== $row && OutboxRow::WAITING === $row->state ) {
			$lines[] = '<p class="tillsync-state">' . esc_html( self::waiting( $row ) ) . '</p>';
		} elseif ( null !== $row && in_array( $row->state, array( OutboxRow::CLOSED, OutboxRow::FAILED ), true ) && ( null === $answer || '' === $row->entry_id ) ) {
			$lines[] = '<p class="tillsync-state">' . esc_html( $row->reason ) . '</p>';
		}
		if ( null !== $answer ) {
			$lines[] = self::answer( $answer, $this->answers->stored_at( $order ) );
		} elseif ( array() === $lines ) {
			$lines[] = '<p>' . esc_html( null === $row ? __( 'This order was not sent to the service.', 'tillsync-bridge' ) : __( 'The service is working on this order.', 'tillsync-bridge' ) ) . '</p>';
		}
		return implode( '', $lines );
	}

	/** Returns a sentence about why a drain did not send, or an empty text. */
	public static function stop_text( string $stopped_by ): string {
		$texts = array(
			'not_connected' => __( 'Not sent: this shop is not connected, or must first say whether it is a copy.', 'tillsync-bridge' ),
			'paused'        => __( 'Not sent: the service refuses this shop. See WooCommerce → Settings → Integration → Tillsync.', 'tillsync-bridge' ),
			'breaker'       => __( 'Not sent yet: the service was not reached. It is tried again by itself.', 'tillsync-bridge' ),
			'throttled'     => __( 'Not sent yet: the service asks to wait. It is tried again by itself.', 'tillsync-bridge' ),
			'table'         => __( 'Not sent: the database table of Tillsync cannot be read or written.', 'tillsync-bridge' ),
		);
		return $texts[ $stopped_by ] ?? '';
	}

	private static function waiting( OutboxRow $row ): string {
		if ( '' !== $row->reason ) {
			/* translators: 1: why, 2: time of day */
			return sprintf( __( 'Not sent yet: %1$s Next try at %2$s.', 'tillsync-bridge' ), $row->reason, wp_date( (string) get_option( 'time_format', 'H:i' ), $row->due_at ) );
		}
		return AnswerTexts::send_time( $row->due_at );
	}

	private static function answer( Answer $answer, int $at ): string {
		$html = sprintf( '<p><span class="tillsync-badge tillsync-%s">%s</span></p>', esc_attr( strtolower( substr( $answer->state, 12 ) ) ), esc_html( AnswerTexts::state( $answer->state ) ) );
		if ( '' !== $answer->comment ) {
			// The comment stays word by word and untranslated, because support staff know it in this form.
			$html .= '<p class="tillsync-comment" lang="en" dir="ltr">' . esc_html( $answer->comment ) . '</p>';
		}
		if ( '0' !== $answer->epos_customer_id && '' !== $answer->epos_customer_id ) {
			/* translators: %s: number of a customer at the till */
			$html .= '<p><strong>' . esc_html( sprintf( __( 'Till customer %s', 'tillsync-bridge' ), $answer->epos_customer_id ) ) . '</strong></p>';
		}
		if ( array() !== $answer->notes ) {
			$html .= '<ul class="tillsync-notes" lang="en" dir="ltr"><li>' . implode( '</li><li>', array_map( 'esc_html', $answer->notes ) ) . '</li></ul>';
		}
		if ( $at > 0 ) {
			/* translators: %s: date and time */
			$html .= '<p class="description">' . esc_html( sprintf( __( 'Answered %s', 'tillsync-bridge' ), wp_date( get_option( 'date_format' ) . ' ' . get_option( 'time_format' ), $at ) ) ) . '</p>';
		}
		return $html;
	}

	private function enqueue(): void {
		wp_enqueue_style( 'tillsync-bridge', plugins_url( 'assets/tillsync.css', \Tillsync\Bridge\PLUGIN_FILE ), array(), \Tillsync\Bridge\VERSION );
		wp_enqueue_script( self::SCRIPT, plugins_url( 'assets/order-panel.js', \Tillsync\Bridge\PLUGIN_FILE ), array( SharedScript::handle() ), \Tillsync\Bridge\VERSION, true );
		$words = array(
			'loading'  => __( 'One moment …', 'tillsync-bridge' ),
			'linked'   => __( 'This shopper is linked to:', 'tillsync-bridge' ),
			'broken'   => __( 'The link is broken: one of the two customers is gone.', 'tillsync-bridge' ),
			'unlinked' => __( 'This shopper is not linked to a till customer.', 'tillsync-bridge' ),
			'guest'    => __( 'This order is from a guest: it has no link.', 'tillsync-bridge' ),
			'unlink'   => __( 'Unlink', 'tillsync-bridge' ),
			'search'   => __( 'Choose another till customer: number, email or name', 'tillsync-bridge' ),
			'find'     => __( 'Search', 'tillsync-bridge' ),
			'choose'   => __( 'Choose', 'tillsync-bridge' ),
			'none'     => __( 'The till has no such customer.', 'tillsync-bridge' ),
			'more'     => __( 'There are more: make the search narrower.', 'tillsync-bridge' ),
			'taken'    => __( 'linked to another shopper', 'tillsync-bridge' ),
			'points'   => __( 'Points', 'tillsync-bridge' ),
			'balance'  => __( 'Balance', 'tillsync-bridge' ),
			'card'     => __( 'Card', 'tillsync-bridge' ),
			'since'    => __( 'Signed up', 'tillsync-bridge' ),
			'stays'    => __( 'Sales that are at the till already do not move: this decides about this order\'s customer in the service and about later orders.', 'tillsync-bridge' ),
			'again'    => __( 'Match again', 'tillsync-bridge' ),
			'expired'  => __( 'Your session has expired. Reload the page and try again.', 'tillsync-bridge' ),
			'failed'   => __( 'That did not work. Try again.', 'tillsync-bridge' ),
		);
		wp_add_inline_script( self::SCRIPT, 'window.tillsyncOrder = ' . wp_json_encode( array( 'namespace' => AdminGate::NAMESPACE, 'words' => $words ), JSON_HEX_TAG ) . ';', 'before' );
	}
}
