<?php
/**
 * WooCommerce's integration of the settings screen.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Log;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\SafeCall;
use WC_Integration;

/**
 * WooCommerce creates this object without arguments, so its methods get their objects from Plugin. SettingsActions handles all buttons
 * except Save.
 */
final class Integration extends WC_Integration {

	public const ID = 'tillsync';

	/**
	 * Values of the last Save that the service refused.
	 *
	 * @var array{settings: array<string, bool|string>, statuses: string[]}|null
	 */
	private ?array $refused = null;

	public function __construct() {
		$this->id                 = self::ID;
		$this->method_title       = 'Tillsync';
		$this->method_description = '';
		add_action( 'woocommerce_update_options_integration_' . self::ID, array( $this, 'process_admin_options' ) );
	}

	public function admin_options(): void {
		// The screen has its own buttons, and each label says what the button does.
		$GLOBALS['hide_save_button'] = true; // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals
		$services = Plugin::services();
		SafeCall::run( $services->get( Log::class ), 'settings screen', fn() => $services->get( SettingsScreen::class )->show( $this->refused ) );
	}

	public function process_admin_options(): bool {
		if ( ! current_user_can( AdminGate::CAPABILITY ) || ! wp_verify_nonce( sanitize_key( wp_unslash( $_POST['_wpnonce'] ?? '' ) ), 'woocommerce-settings' ) || ! SettingsInput::is_given() ) {
			return false;
		}
		$this->refused = Plugin::services()->get( SettingsSave::class )->save();
		return null === $this->refused;
	}
}
