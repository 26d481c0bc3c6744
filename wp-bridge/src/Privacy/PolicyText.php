<?php
/**
 * The suggested privacy text.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Privacy;

/** WordPress shows it in Settings → Privacy → Policy guide. */
final class PolicyText {

	public static function suggest(): void {
		if ( function_exists( 'wp_add_privacy_policy_content' ) ) {
			wp_add_privacy_policy_content( __( 'Tillsync Bridge: till customers for WooCommerce', 'tillsync-bridge' ), wp_kses_post( self::html() ) );
		}
	}

	public static function html(): string {
		$paragraphs = array(
			'<p class="privacy-policy-tutorial">' . esc_html__( 'This shop hands orders to a tillsync service, which finds or makes the customer at your till (Epos Now). Name the operator of that service, where it runs, and how long you keep customers at the till.', 'tillsync-bridge' ) . '</p>',
			'<p><strong>' . esc_html__( 'Suggested text:', 'tillsync-bridge' ) . '</strong> ' . esc_html__( 'When you order, we pass your name, company, phone number, the email of your account and of your order, the numbers of your order and account, and when you registered, to the service that joins our online shop to the till in our store. It finds your customer record at the till by your email, or makes one, so that points and purchases belong to the same person. When your account is deleted or gets another email, we tell it so, without the email itself.', 'tillsync-bridge' ) . '</p>',
			'<p>' . esc_html__( 'From the till we keep, with your account, your points, your credit, your customer type, and when they were read. Whether you agreed to advertising is never changed by this.', 'tillsync-bridge' ) . '</p>',
			'<p>' . esc_html__( 'The service keeps what it did with an order for 14 days, or for 90 days when it failed; which till customer an order belongs to, with its emails, it keeps until that is erased. You can ask us for a copy of these data, or to erase them.', 'tillsync-bridge' ) . '</p>',
		);
		return implode( '', $paragraphs );
	}
}
