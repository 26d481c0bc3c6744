<?php
/**
 * Initial content of the mail "Confirm your email" in WooCommerce's block email editor.
 *
 * @package Tillsync\Bridge
 */

defined( 'ABSPATH' ) || exit;
?>
<!-- wp:heading -->
<h2 class="wp-block-heading"><?php esc_html_e( 'Confirm your email', 'tillsync-bridge' ); ?></h2>
<!-- /wp:heading -->

<!-- wp:woocommerce/email-content {"lock":{"move":false,"remove":true}} -->
<div class="wp-block-woocommerce-email-content">##WOO_CONTENT##</div>
<!-- /wp:woocommerce/email-content -->
