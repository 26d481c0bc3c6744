<?php
/**
 * Text of the mail "Confirm your email", in HTML and in the block editor's mail.
 * Override: yourtheme/woocommerce/emails/block/tillsync-confirmation-content.php
 *
 * @package Tillsync\Bridge
 * @var string $url Address of the link; empty in the editor's preview.
 */

defined( 'ABSPATH' ) || exit;
?>
<p><?php esc_html_e( 'Somebody with an account in our shop gave this email. If that was you, follow this link while you are logged in, and your points are shown to you:', 'tillsync-bridge' ); ?></p>
<p><a href="<?php echo esc_url( $url ); ?>"><?php esc_html_e( 'Confirm my email', 'tillsync-bridge' ); ?></a></p>
<p><?php esc_html_e( 'The link is good for two days. If you have no account in our shop, do nothing.', 'tillsync-bridge' ); ?></p>
