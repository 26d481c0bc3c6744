<?php
/**
 * Translated results of CheckAccount and ConnectShop.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

/**
 * Explains results by the service's stable codes, never by its texts. Where only the operator can act, the text says so without the
 * operator's settings. For an unknown code the service's own words are shown.
 */
final class CheckTexts {

	/**
	 * Returns why a side cannot be used, and the remedy.
	 *
	 * @param string $reason Detail `reason` of a failed step, or ErrorInfo's reason of ConnectShop.
	 * @return array{0: string, 1: string}|null Null for an unknown code.
	 */
	public static function of_reason( string $reason ): ?array {
		$of_shop = self::of_shop()[ $reason ] ?? null;
		return $of_shop ?? self::of_till()[ $reason ] ?? null;
	}

	/**
	 * Returns the code for a problem of the whole account where side and reason determine it. Only a test can tell what blocks access to a
	 * shop.
	 *
	 * @param array<string, mixed> $problem An AccountProblem message.
	 */
	public static function reason_of_problem( array $problem ): string {
		$of_till = array(
			'PROBLEM_REASON_UNREACHABLE'         => 'TILL_UNREACHABLE',
			'PROBLEM_REASON_CREDENTIALS_REFUSED' => 'TILL_CREDENTIALS_REFUSED',
			'PROBLEM_REASON_WRONG_ADDRESS'       => 'TILL_ADDRESS_WRONG',
		);
		$of_both = array( 'PROBLEM_REASON_BRIDGE_MISSING' => 'SHOP_BRIDGE_OFF', 'PROBLEM_REASON_SETTINGS_INCOMPLETE' => 'SETTINGS_MISSING' );
		$reason  = is_string( $problem['reason'] ?? null ) ? $problem['reason'] : '';
		return $of_both[ $reason ] ?? ( 'SIDE_TILL' === ( $problem['side'] ?? '' ) ? $of_till[ $reason ] ?? '' : '' );
	}

	/**
	 * Returns the text of a warning: the check passed and something looks wrong.
	 *
	 * @return array{0: string, 1: string}|null Null for an unknown code.
	 */
	public static function of_warning( string $name ): ?array {
		$tell = __( 'Tell your tillsync operator.', 'tillsync-bridge' );
		$slow = __( 'The till finds customers by email only slowly, so an order may wait a little longer for its customer.', 'tillsync-bridge' );
		$all  = array(
			'sync_disabled'              => array( __( 'Customer sync is off: every order goes to the default customer, and nothing is refreshed.', 'tillsync-bridge' ), __( 'Switch it on in the settings below when both sides are ready.', 'tillsync-bridge' ) ),
			'no_default_customer'        => array( __( 'No default till customer is chosen: orders of guests wait.', 'tillsync-bridge' ), __( 'Choose it in the settings below.', 'tillsync-bridge' ) ),
			'webhooks_refused'           => array( __( 'The webhooks of Epos Now are not set up yet, so changed points are not noticed.', 'tillsync-bridge' ), __( 'Ask your tillsync operator to set up the webhook.', 'tillsync-bridge' ) ),
			'tills_look_alike'           => array( __( 'Another shop of this service seems to have the same till.', 'tillsync-bridge' ), __( 'Tell your tillsync operator: the two should share one till, or a customer may be made twice.', 'tillsync-bridge' ) ),
			'address_differs'            => array( __( 'The service calls this shop by another address than the shop calls itself.', 'tillsync-bridge' ), __( 'If this site is a copy, disconnect it; otherwise connect again from here.', 'tillsync-bridge' ) ),
			'search_filter_ignored'      => array( $slow, $tell ),
			'search_tells_capitals_apart' => array( $slow, $tell ),
		);
		return $all[ $name ] ?? null;
	}

	/** Returns the text of a passed step, or an empty text for an unknown code. */
	public static function of_success( string $name ): string {
		$all = array(
			'settings'         => __( 'The service knows the till and the shop.', 'tillsync-bridge' ),
			'credentials'      => __( 'Epos Now accepted the API credentials.', 'tillsync-bridge' ),
			'list_customers'   => __( 'The customers of the till can be read.', 'tillsync-bridge' ),
			'search_by_email'  => __( 'The till can be searched for an email.', 'tillsync-bridge' ),
			'customer_types'   => __( 'The customer types of the till can be read.', 'tillsync-bridge' ),
			'default_customer' => __( 'The default till customer is there.', 'tillsync-bridge' ),
			'bridge_status'    => __( 'The service reaches this plugin, and both hold the same secret.', 'tillsync-bridge' ),
			'address'          => __( 'The shop reported its own address.', 'tillsync-bridge' ),
		);
		return $all[ $name ] ?? '';
	}

	/** @return array<string, array{0: string, 1: string}> Problem of the shop, as the service sees it, and remedy, by reason. */
	private static function of_shop(): array {
		return array(
			'SHOP_IN_MAINTENANCE'     => array( __( 'The shop is in maintenance, or overloaded.', 'tillsync-bridge' ), __( 'Wait until it is done: everything goes on by itself. If it stays so for more than ten minutes, ask your host.', 'tillsync-bridge' ) ),
			'SHOP_MOVED'              => array( __( 'The shop\'s address leads on to another address.', 'tillsync-bridge' ), __( 'Enter the address it leads to under Settings → General, then connect again.', 'tillsync-bridge' ) ),
			'SHOP_ADDRESS_WRONG'      => array( __( 'There is no REST API at the shop\'s address.', 'tillsync-bridge' ), __( 'If the address is right, a plugin hides the REST API: allow /wp-json/ there. Then save Settings → Permalinks once.', 'tillsync-bridge' ) ),
			'SHOP_REST_OFF'           => array( __( 'A plugin has switched the shop\'s REST API off.', 'tillsync-bridge' ), __( 'Allow /wp-json/ in the security plugin that does it.', 'tillsync-bridge' ) ),
			'SHOP_FIREWALL'           => array( __( 'A firewall or a bot check before the shop turns the service away.', 'tillsync-bridge' ), __( 'Ask your host to let the service\'s requests to /wp-json/ through.', 'tillsync-bridge' ) ),
			'SHOP_PASSWORD_PROTECTED' => array( __( 'The web server asks for a password before the shop.', 'tillsync-bridge' ), __( 'Except /wp-json/ from the password protection, or take it off.', 'tillsync-bridge' ) ),
			'SHOP_BRIDGE_OFF'         => array( __( 'The service does not find this plugin at the shop\'s address.', 'tillsync-bridge' ), __( 'See that it is active on the site that has this address, and up to date.', 'tillsync-bridge' ) ),
			'SHOP_SIGNATURE_REFUSED'  => array( __( 'The shop did not accept the service\'s signature.', 'tillsync-bridge' ), __( 'Connect again, so that both sides hold the same secret. If it stays so, let your host see whether the server\'s clock is right and whether its headers are let through.', 'tillsync-bridge' ) ),
			'SHOP_WEB_PAGE'           => array( __( 'The shop answered with a web page in place of data, mostly out of a cache.', 'tillsync-bridge' ), __( 'Except /wp-json/ from page caches, and from plugins that print into every page.', 'tillsync-bridge' ) ),
			'SHOP_PHP_MESSAGE'        => array( __( 'PHP printed a message before the data of the shop.', 'tillsync-bridge' ), __( 'Set WP_DEBUG_DISPLAY to false in wp-config.php, or update the plugin that the message names.', 'tillsync-bridge' ) ),
			'SHOP_ANSWER_UNREADABLE'  => array( __( 'The shop\'s answer could not be read.', 'tillsync-bridge' ), __( 'Let your host look into the PHP error log.', 'tillsync-bridge' ) ),
			'SHOP_UNREACHABLE'        => array( __( 'The service could not reach the shop.', 'tillsync-bridge' ), __( 'The shop must be open to the internet under its own name, with a valid certificate: ask your host. If it is, tell your tillsync operator.', 'tillsync-bridge' ) ),
			'SHOP_TOO_SLOW'           => array( __( 'The shop did not answer in time.', 'tillsync-bridge' ), __( 'Try again. If it stays slow, ask your host why.', 'tillsync-bridge' ) ),
			'SHOP_THROTTLES'          => array( __( 'The shop\'s host limits the requests of the service.', 'tillsync-bridge' ), __( 'Ask your host to allow it more requests.', 'tillsync-bridge' ) ),
			'SHOP_FAILED'             => array( __( 'The shop failed over the service\'s question.', 'tillsync-bridge' ), __( 'Look into the PHP error log and WooCommerce → Status → Logs, or ask your host.', 'tillsync-bridge' ) ),
			'SHOP_REFUSED'            => array( __( 'The shop refused the service\'s question.', 'tillsync-bridge' ), __( 'See which plugin of the shop refuses it, or ask your host.', 'tillsync-bridge' ) ),
		);
	}

	/** @return array<string, array{0: string, 1: string}> Problem of the till, or of the service's settings, and remedy, by reason. */
	private static function of_till(): array {
		$later = __( 'Try again later. If it stays so, tell your tillsync operator.', 'tillsync-bridge' );
		return array(
			'SETTINGS_MISSING'         => array( __( 'The service does not know everything about your till or shop yet.', 'tillsync-bridge' ), __( 'Ask your tillsync operator to complete the account.', 'tillsync-bridge' ) ),
			'DEFAULT_CUSTOMER_GONE'    => array( __( 'The default till customer does not exist any more.', 'tillsync-bridge' ), __( 'Choose another one in the settings below.', 'tillsync-bridge' ) ),
			'TILL_CREDENTIALS_REFUSED' => array( __( 'Epos Now refused the API credentials.', 'tillsync-bridge' ), __( 'Ask your tillsync operator to enter the API credentials of the till again.', 'tillsync-bridge' ) ),
			'TILL_ADDRESS_WRONG'       => array( __( 'The service has a wrong address of the till.', 'tillsync-bridge' ), __( 'Ask your tillsync operator to correct the address of the till.', 'tillsync-bridge' ) ),
			'TILL_SEARCH_FINDS_NOTHING' => array( __( 'The till does not find a customer it has by their email, so no new customer is made.', 'tillsync-bridge' ), __( 'Ask your tillsync operator: the till may need another API version.', 'tillsync-bridge' ) ),
			'TILL_UNREACHABLE'         => array( __( 'The service could not reach the till.', 'tillsync-bridge' ), $later ),
			'TILL_TOO_SLOW'            => array( __( 'The till did not answer in time.', 'tillsync-bridge' ), $later ),
			'TILL_THROTTLES'           => array( __( 'The till limits the requests of the service.', 'tillsync-bridge' ), __( 'Wait some minutes. If it happens often, tell your tillsync operator.', 'tillsync-bridge' ) ),
			'TILL_FAILED'              => array( __( 'The till failed over the service\'s question.', 'tillsync-bridge' ), $later ),
			'TILL_ANSWER_UNREADABLE'   => array( __( 'The till\'s answer could not be read.', 'tillsync-bridge' ), $later ),
			'TILL_BLOCKED'             => array( __( 'Something before the till answers in its place and turns the service away.', 'tillsync-bridge' ), $later ),
			'TILL_REFUSED'             => array( __( 'The till refused the service\'s question.', 'tillsync-bridge' ), $later ),
		);
	}
}
