<?php
/**
 * Initial content of the mail "Orders and settings that need your review" in WooCommerce's block email editor.
 *
 * @package Tillsync\Bridge
 */

defined( 'ABSPATH' ) || exit;
?>
<!-- wp:heading -->
<h2 class="wp-block-heading"><?php esc_html_e( 'Orders and settings that need your review', 'tillsync-bridge' ); ?></h2>
<!-- /wp:heading -->

<!-- wp:paragraph -->
<p><?php esc_html_e( 'The till sync of your shop needs attention:', 'tillsync-bridge' ); ?></p>
<!-- /wp:paragraph -->

<!-- wp:woocommerce/email-content {"lock":{"move":false,"remove":true}} -->
<div class="wp-block-woocommerce-email-content">##WOO_CONTENT##</div>
<!-- /wp:woocommerce/email-content -->
