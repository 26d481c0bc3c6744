<?php
/**
 * The permission of the plugin's own screens.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Rest;

use WP_Error;

/**
 * Requires the login cookie, a nonce (X-WP-Nonce) and the right to manage the shop. Without the nonce WordPress treats the caller as not
 * logged in. The service's signature does not count here; it is for wc-tillsync/v1.
 */
final class AdminGate {

	public const NAMESPACE  = 'tillsync-bridge/v1';
	public const CAPABILITY = 'manage_woocommerce';

	/**
	 * Serves as `permission_callback`.
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
