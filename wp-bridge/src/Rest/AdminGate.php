<?php
/**
 * Who may use the routes of our own screens.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use WP_Error;

/**
 * The cookie with a nonce (X-WP-Nonce; without it WordPress takes the caller for a stranger) and the right to manage the shop. Never
 * the service's signature: that one opens wc-tillsync/v1.
 */
final class AdminGate {

	public const NAMESPACE  = 'tillsync-bridge/v1';
	public const CAPABILITY = 'manage_woocommerce';

	/**
	 * For `permission_callback`.
	 *
	 * @return true|WP_Error
	 */
	public static function permission() {
		// invariant: admin-routes-need-the-right
		if ( current_user_can( self::CAPABILITY ) ) {
			return true;
		}
		return new WP_Error( 'rest_forbidden', __( 'You may not manage this shop.', 'tillsync-bridge' ), array( 'status' => rest_authorization_required_code() ) );
	}
}
