<?php
/**
 * The prompt for a shopper whose email is not confirmed. It is shown instead of points.
 *
 * To change it, copy this file to yourtheme/tillsync-bridge/tillsync-confirm-email.php. The button needs the attribute
 * data-tillsync-confirm. The result's text is written into the element with data-tillsync-confirm-said.
 *
 * @package Tillsync\Bridge
 * @version 0.1.0
 *
 * @var string $kind "ask", or "soon" when the email was confirmed a moment ago.
 */

defined( 'ABSPATH' ) || exit;

if ( 'soon' === $kind ) {
	echo '<p class="tillsync-points-soon">' . esc_html__( 'Your email is confirmed. Your points appear here in a moment.', 'tillsync-bridge' ) . '</p>';
	return;
}
?>
<p class="tillsync-confirm-why"><?php esc_html_e( 'Confirm your email to see your points.', 'tillsync-bridge' ); ?></p>
<p><button type="button" class="button wp-element-button" data-tillsync-confirm><?php esc_html_e( 'Send me the mail', 'tillsync-bridge' ); ?></button></p>
<p class="tillsync-confirm-said" role="status" data-tillsync-confirm-said></p>
